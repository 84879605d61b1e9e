"""Model families on which activated neurons cannot be counted, or which cannot be tuned as SLAM does, and why."""

from collections.abc import Mapping
from typing import Any

from slam_ray.models.checkpoint import config_parts

_EXPERTS = (
    "is a mixture of experts: a router decides which neurons a token can reach at all, so shares of activated neurons"
    " cannot be compared between languages; give a dense model"
)
_STATE = (
    "has layers that are no attention (a recurrence or a convolution): their state runs on from one example into the"
    " next that training packs behind it; give a model whose layers are all attention"
)
_NO_GATE = (
    "has an FFN whose activation is positive also far below zero (xIELU): its sign does not say whether a neuron is"
    " activated; give a model with a SiLU, GELU or ReLU"
)
_ENCODER_DECODER = (
    "has an encoder and a decoder: the layers that read a language are not those that write; give a decoder-only model"
)
_ENCODER = "is an encoder: it writes no text; give a decoder-only model"
_OTHER_SENSES = (
    "reads more than text, and of such checkpoints only the text part of 'gemma3' is known; give the model for text"
    " alone, if it has been published too"
)

# By `model_type`; of several reasons that fit, the first is given.
_TYPES = {
    _STATE: (
        "bamba falcon_h1 falcon_mamba granitemoehybrid jamba kimi_linear lfm2 lfm2_moe mamba mamba2 minimax "
        "nemotron_h olmo_hybrid qwen3_5 qwen3_5_moe qwen3_5_moe_text qwen3_5_text qwen3_next recurrent_gemma "
        "rwkv xlstm zamba zamba2"
    ),
    _EXPERTS: (
        "afmoe cohere2_moe dbrx deepseek_v2 deepseek_v3 deepseek_v32 deepseek_v4 dots1 ernie4_5_moe "
        "exaone_moe flex_olmo glm4_moe glm4_moe_lite glm_moe_dsa gpt_oss granitemoe granitemoe_swa "
        "granitemoeshared hunyuan_v1_moe jetmoe kimi_k2 llama4 llama4_text longcat_flash mimo_v2_flash "
        "minimax_m2 mixtral nllb-moe olmoe phimoe qwen2_moe qwen3_moe qwen3_omni_moe qwen3_vl_moe "
        "switch_transformers"
    ),
    _ENCODER_DECODER: (
        "bart bigbird_pegasus blenderbot blenderbot-small fsmt led longt5 m2m_100 marian mbart moonshine mt5 "
        "mvp pegasus pegasus_x plbart prophetnet seamless_m4t seamless_m4t_v2 t5 t5gemma t5gemma2 umt5 "
        "whisper"
    ),
    _ENCODER: (
        "albert bert big_bird camembert data2vec-text deberta deberta-v2 distilbert electra ernie eurobert "
        "ibert longformer megatron-bert modernbert mpnet nomic_bert rembert roberta roberta-prelayernorm "
        "roc_bert roformer xlm-roberta xlm-roberta-xl xmod"
    ),
    _NO_GATE: "apertus",
}
# Some dense models have such a key too, with no experts as its value.
_EXPERT_KEYS = (
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "moe_num_experts",
    "num_moe_experts",
    "moe_num_primary_experts",
)
_OTHER_SENSES_KEYS = ("vision_config", "audio_config", "text_config", "vision_tower", "thinker_config")


def unsupported_reason(config: Mapping[str, Any]) -> str:
    """Why no model with this config.json can be used, as words that follow its name; "" if there is no reason."""
    parts = config_parts(config)
    kinds = {str(part.get("model_type", "")) for part in parts}
    for reason, types in _TYPES.items():
        if kinds & set(types.split()):
            return reason
    if any(part.get(key) for part in parts for key in _EXPERT_KEYS):
        return _EXPERTS
    if config.get("is_encoder_decoder"):
        return _ENCODER_DECODER
    if "gemma3" not in kinds and any(config.get(key) for key in _OTHER_SENSES_KEYS):
        return _OTHER_SENSES
    return ""
