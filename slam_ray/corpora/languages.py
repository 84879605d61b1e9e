"""Languages by ISO 639-1 code, with the full English names that the paper's prompts use (Table 7)."""

from slam_ray.config import InputError

NAMES = {
    "ar": "Arabic", "bn": "Bengali", "de": "German", "en": "English", "es": "Spanish", "fr": "French",
    "hi": "Hindi", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish",
    "pt": "Portuguese", "ru": "Russian", "sw": "Swahili", "te": "Telugu", "th": "Thai", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


def language_name(code: str) -> str:
    """Full English name of a language; InputError for a code that is not known."""
    if code not in NAMES:
        raise InputError(f"language {code!r} is not known; known are: {' '.join(sorted(NAMES))}")
    return NAMES[code]
