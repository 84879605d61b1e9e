"""Thai, Japanese and Chinese: classifiers, no spaces between words (`|` marks where they would be)."""

from slam_ray.demo.grammar.form import Grammar, Slots
from slam_ray.demo.problems import Fact

_THAI_NAMES = {
    "Anna": "แอนนา", "Tom": "ทอม", "Maria": "มาเรีย", "David": "เดวิด",
    "Sara": "ซาร่า", "Omar": "โอมาร์", "Emma": "เอ็มม่า", "Peter": "ปีเตอร์",
}  # fmt: skip
_THAI_NOUNS = {
    "oranges": ("ส้ม", "ผล"), "eggs": ("ไข่", "ฟอง"), "bananas": ("กล้วย", "ลูก"), "candies": ("ลูกอม", "เม็ด"),
    "books": ("หนังสือ", "เล่ม"), "pencils": ("ดินสอ", "แท่ง"), "balls": ("ลูกบอล", "ลูก"), "flowers": ("ดอกไม้", "ดอก"),
    "stamps": ("แสตมป์", "ดวง"), "coins": ("เหรียญ", "เหรียญ"), "cups": ("ถ้วย", "ใบ"), "hats": ("หมวก", "ใบ"),
}  # fmt: skip
_THAI_BOXES = {"boxes": "กล่อง", "bags": "ถุง"}


def _thai(fact: Fact) -> Slots:
    thing, classifier = _THAI_NOUNS[fact.noun]
    return {
        "who": _THAI_NAMES[fact.who],
        "other": _THAI_NAMES[fact.other],
        "thing": thing,
        "cl": classifier,
        "box": _THAI_BOXES[fact.container],
    }


THAI = Grammar(
    clauses={
        "has": "{who}|มี|{thing} {n} {cl}",
        "containers": "{who}|มี|{box} {n} ใบ",
        "each": "{box}|แต่ละ|ใบ|มี|{thing} {n} {cl}",
        "shares": "{who}|แบ่ง|{thing}|ให้|เพื่อน {n} คน|อย่าง|เท่าเทียม",
        "total": "รวมกัน",
        "buys": "{who}|ซื้อ|{thing} {n} {cl}",
        "finds": "{who}|เจอ|{thing} {n} {cl}",
        "gets": "{who}|ได้รับ|{thing} {n} {cl}|จาก|{other}",
        "gives": "{who}|ให้|{thing} {n} {cl}|แก่|{other}",
        "sells": "{who}|ขาย|{thing} {n} {cl}",
        "loses": "{who}|ทำ|{thing}|หาย {n} {cl}",
        "eats": "{who}|กิน|{thing} {n} {cl}",
        "more": "{who}|มี|{thing}|มากกว่า|{other} {n} {cl}",
        "fewer": "{who}|มี|{thing}|น้อยกว่า|{other} {n} {cl}",
    },
    asks={
        "now": "ตอนนี้|{who}|มี|{thing}|กี่|{cl}",
        "each_gets": "เพื่อน|แต่ละ|คน|ได้|{thing}|กี่|{cl}",
        "both": "ทั้งสอง|คน|มี|{thing}|รวมกัน|กี่|{cl}",
    },
    answer="คำตอบ|คือ {n}",
    slots=_thai,
    stop="",
)

_JAPANESE_NAMES = {
    "Anna": "アンナ", "Tom": "トム", "Maria": "マリア", "David": "デイビッド",
    "Sara": "サラ", "Omar": "オマル", "Emma": "エマ", "Peter": "ピーター",
}  # fmt: skip
_JAPANESE_NOUNS = {
    "oranges": ("オレンジ", "個"), "eggs": ("卵", "個"), "bananas": ("バナナ", "本"), "candies": ("あめ", "個"),
    "books": ("本", "冊"), "pencils": ("鉛筆", "本"), "balls": ("ボール", "個"), "flowers": ("花", "本"),
    "stamps": ("切手", "枚"), "coins": ("コイン", "枚"), "cups": ("カップ", "個"), "hats": ("帽子", "個"),
}  # fmt: skip
_JAPANESE_BOXES = {"boxes": "箱", "bags": "袋"}


def _japanese(fact: Fact) -> Slots:
    thing, counter = _JAPANESE_NOUNS[fact.noun]
    return {
        "who": _JAPANESE_NAMES[fact.who],
        "other": _JAPANESE_NAMES[fact.other],
        "thing": thing,
        "cl": counter,
        "box": _JAPANESE_BOXES[fact.container],
    }


JAPANESE = Grammar(
    clauses={
        "has": "{who}|は|{thing}|を|{n}|{cl}|持っています",
        "containers": "{who}|は|{box}|を|{n}|つ|持っています",
        "each": "それぞれ|の|{box}|に|{thing}|が|{n}|{cl}|入っています",
        "shares": "{who}|は|{thing}|を|友だち|{n}|人|に|同じ|数|ずつ|分けます",
        "total": "合わせて",
        "buys": "{who}|は|{thing}|を|{n}|{cl}|買います",
        "finds": "{who}|は|{thing}|を|{n}|{cl}|見つけます",
        "gets": "{who}|は|{other}|から|{thing}|を|{n}|{cl}|もらいます",
        "gives": "{who}|は|{other}|に|{thing}|を|{n}|{cl}|あげます",
        "sells": "{who}|は|{thing}|を|{n}|{cl}|売ります",
        "loses": "{who}|は|{thing}|を|{n}|{cl}|なくします",
        "eats": "{who}|は|{thing}|を|{n}|{cl}|食べます",
        "more": "{who}|は|{other}|より|{thing}|を|{n}|{cl}|多く|持っています",
        "fewer": "{who}|は|{other}|より|{thing}|を|{n}|{cl}|少なく|持っています",
    },
    asks={
        "now": "{who}|は|今|、|{thing}|を|何|{cl}|持っています|か|。",
        "each_gets": "友だち|一人|は|{thing}|を|何|{cl}|もらいます|か|。",
        "both": "二人|は|合わせて|{thing}|を|何|{cl}|持っています|か|。",
    },
    answer="答え|は|{n}|です",
    slots=_japanese,
    stop="。",
    colon="：",
    gap="",
)

_CHINESE_NAMES = {
    "Anna": "安娜", "Tom": "汤姆", "Maria": "玛丽亚", "David": "大卫",
    "Sara": "萨拉", "Omar": "奥马尔", "Emma": "艾玛", "Peter": "彼得",
}  # fmt: skip
_CHINESE_NOUNS = {
    "oranges": ("橙子", "个"), "eggs": ("鸡蛋", "个"), "bananas": ("香蕉", "根"), "candies": ("糖果", "颗"),
    "books": ("书", "本"), "pencils": ("铅笔", "支"), "balls": ("球", "个"), "flowers": ("花", "朵"),
    "stamps": ("邮票", "张"), "coins": ("硬币", "枚"), "cups": ("杯子", "个"), "hats": ("帽子", "顶"),
}  # fmt: skip
_CHINESE_BOXES = {"boxes": "箱子", "bags": "袋子"}


def _chinese(fact: Fact) -> Slots:
    thing, measure = _CHINESE_NOUNS[fact.noun]
    return {
        "who": _CHINESE_NAMES[fact.who],
        "other": _CHINESE_NAMES[fact.other],
        "thing": thing,
        "cl": measure,
        "box": _CHINESE_BOXES[fact.container],
    }


CHINESE = Grammar(
    clauses={
        "has": "{who}|有|{n}|{cl}|{thing}",
        "containers": "{who}|有|{n}|个|{box}",
        "each": "每|个|{box}|里|有|{n}|{cl}|{thing}",
        "shares": "{who}|把|{thing}|平均|分给|{n}|个|朋友",
        "total": "一共",
        "buys": "{who}|买了|{n}|{cl}|{thing}",
        "finds": "{who}|找到了|{n}|{cl}|{thing}",
        "gets": "{who}|从|{other}|那里|得到了|{n}|{cl}|{thing}",
        "gives": "{who}|送给|{other}|{n}|{cl}|{thing}",
        "sells": "{who}|卖掉了|{n}|{cl}|{thing}",
        "loses": "{who}|弄丢了|{n}|{cl}|{thing}",
        "eats": "{who}|吃了|{n}|{cl}|{thing}",
        "more": "{who}|比|{other}|多|{n}|{cl}|{thing}",
        "fewer": "{who}|比|{other}|少|{n}|{cl}|{thing}",
    },
    asks={
        "now": "{who}|现在|有|多少|{cl}|{thing}|？",
        "each_gets": "每|个|朋友|得到|多少|{cl}|{thing}|？",
        "both": "两人|一共|有|多少|{cl}|{thing}|？",
    },
    answer="答案|是|{n}",
    slots=_chinese,
    stop="。",
    colon="：",
    gap="",
)
