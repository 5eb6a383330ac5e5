"""Writes the texts of the proof: 10,000, of which many are what shops, feeds and broken exports really hold.

    python texts.py [FILE]               (default: .local/proof/texts.jsonl)

One `{"kind": ..., "text": ...}` a line; always the same. All words here are the project's own; the brands do not exist.
"""
import json
import random
import sys
import unicodedata
from pathlib import Path

FILE = Path(__file__).resolve().parents[2] / ".local/proof/texts.jsonl"
COUNT = 10_000

BRANDS = ["Quillmere", "Ostrava & Sons", "NORDVIK", "Bellacroft", "Tanaka·Oak", "l'Avenant", "Zephyr-9", "O'Malley's", "Größenwahn", "Ånskog",
          "Çelebi", "Peña y Cía", "D&L", "re:form", "PIXELMOTH", "McTavish", "Luma™", "Halden®", "Ünal", "Štěpán", "Łódka", "iHike", "x/y", "Ms.Fern"]
KINDS = ["t-shirt", "running shoes", "handbag", "wrist watch", "sunglasses", "men's jacket", "women's dress", "kids' raincoat", "umbrella", "backpack",
         "coffee mug", "desk lamp", "bed linen", "garden chair", "bluetooth speaker", "usb-c cable", "chef's knife", "yoga mat", "necktie", "belt",
         "high-heeled shoes", "beanie", "gloves", "scarf", "jeans", "track pants", "flip flops", "saree", "kurta", "wallet"]
MATERIALS = ["cotton", "merino wool", "full-grain leather", "stainless steel", "100% linen", "polyester/elastane", "oak", "recycled PET", "silk", "18k gold",
             "Gore-Tex", "suede", "bamboo", "porcelain", "denim"]
COLOURS = ["red", "navy blue", "off-white", "charcoal", "olive green", "pink", "turquoise", "black", "mustard", "light-grey", "multicolour", "rosé"]
SIZES = ["XL", "size 42", "10.5 US", "32\"x34\"", "1,5 l", "256GB", "5'11\"", "No. 7", "2-pack", "3XL", "40x60cm", "Ø 12 mm", "½ litre", "12°", "€9.99", "$1,299.00"]
ADJECTIVES = ["slim-fit", "waterproof", "vintage", "hand-made", "don't-miss", "best", "new", "it's", "ultra-light", "fair-trade", "we've picked", "you'll love"]

LANGUAGES = {
    "german": (["rote", "große", "schöne", "weiße", "süße", "maßgeschneiderte"], ["Damenschuhe", "Straßenjacke", "Fußbälle", "Handtasche", "Armbanduhr", "Übergröße", "STRASSE", "GROẞE"], "für Mädchen und Jungen"),
    "french": (["élégante", "légère", "d'été", "cœur", "brodée", "façonnée"], ["robe", "écharpe", "chaussures", "sac à main", "l'œuvre", "ceinture"], "pour l'hiver, à porter où l'on veut"),
    "spanish": (["pequeño", "rojo", "señorial", "único", "cálido"], ["bolso", "pañuelo", "camisón", "reloj", "niño", "¿vestido?", "¡zapatos!"], "para él y ella"),
    "portuguese": (["lã", "algodão", "confortável", "três", "não"], ["calção", "relógio", "bolsa", "chapéu", "botões"], "com proteção"),
    "polish": (["czerwona", "żółta", "świeża", "łódzka", "piękna"], ["sukienka", "koszulka", "buty", "źródło", "gęś", "kąpielówki"], "dla dzieci i dorosłych"),
    "czech": (["příliš", "žluťoučký", "kůň", "červené"], ["šaty", "boty", "řemen", "hodinky", "děti"], "úpěl ďábelské ódy"),
    "turkish": (["ışıltılı", "kırmızı", "İstanbul", "DIŞ", "ince"], ["elbise", "ayakkabı", "çanta", "gözlük", "IŞIK", "İPEK", "şemsiye"], "için özel"),
    "vietnamese": (["đỏ", "đẹp", "mới", "trắng", "rẻ"], ["áo thun", "giày thể thao", "túi xách", "đồng hồ", "mũ", "váy"], "chất lượng cao cho phụ nữ"),
    "russian": (["красное", "тёплый", "новая", "чёрные", "ЛЁГКИЙ"], ["платье", "сумка", "кроссовки", "часы", "зонт", "подъезд"], "для мужчин и женщин"),
    "ukrainian": (["жовта", "їхня", "ґречна", "синій"], ["сукня", "взуття", "парасолька", "об'єкт"], "для дітей"),
    "greek": (["κόκκινο", "μεγάλος", "ΝΕΟΣ", "λευκό", "ὡραῖον"], ["φόρεμα", "τσάντα", "παπούτσια", "ρολόι", "ΟΔΟΣ", "ομπρέλα"], "για όλους"),
    "arabic": (["أحمر", "جديد", "كبيرة", "جِلْد", "طبيعي"], ["فستان", "حقيبة", "حذاء رياضي", "ساعة", "نظّارة"], "للنساء والرجال، ٢٥٪ خصم"),
    "persian": (["قرمز", "زیبا", "می‌خواهم", "نو"], ["پیراهن", "کیف", "کفش", "ساعت"], "برای خانم‌ها ۱۲۳"),
    "hebrew": (["אדום", "חדש", "גָּדוֹל", "יפה"], ["שמלה", "תיק", "נעליים", "שעון", "ג'קט"], "לנשים ולגברים"),
    "hindi": (["लाल", "नया", "सुंदर", "हल्का"], ["पोशाक", "जूते", "घड़ी", "थैला", "क़मीज़"], "महिलाओं के लिए १२"),
    "tamil": (["சிவப்பு", "புதிய"], ["சேலை", "காலணி", "கடிகாரம்"], "பெண்களுக்கு"),
    "bengali": (["লাল", "নতুন"], ["শাড়ি", "জুতা", "ঘড়ি"], "মেয়েদের জন্য"),
    "thai": (["สีแดง", "ใหม่", "น้ำหนักเบา"], ["เสื้อยืด", "รองเท้า", "กระเป๋า", "นาฬิกา"], "สำหรับผู้หญิง ๑๒๓"),
    "japanese": (["赤い", "新しい", "おしゃれな", "ﾊﾝﾄﾞﾒｲﾄﾞ", "レディース"], ["ワンピース", "スニーカー", "鞄", "腕時計", "Tシャツ", "がま口"], "送料無料・即日発送"),
    "chinese": (["红色", "新款", "時尚", "轻便", "大號"], ["连衣裙", "运动鞋", "手提包", "手表", "雨傘"], "男女通用，包邮"),
    "korean": (["빨간", "새로운", "가벼운", "예쁜"], ["원피스", "운동화", "핸드백", "손목시계", "우산"], "여성용 당일발송"),
    "georgian": (["წითელი", "ᲐᲮᲐᲚᲘ"], ["კაბა", "ფეხსაცმელი"], "ქალებისთვის"),
    "armenian": (["կարմիր", "ՆՈՐ"], ["զգեստ", "կոշիկ", "և"], "կանանց"),
}

EMOJI = ["😀", "👕", "👗", "👠", "⌚", "⌚️", "❤", "❤️", "❤️‍🔥", "👩‍👩‍👧‍👦", "👨🏽‍💻", "👍🏿", "🏳️‍🌈", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "🇩🇪", "🇺🇸🇯🇵", "1️⃣", "#️⃣", "©", "®", "™", "✔", "✅", "★", "→", "🫠", "🧑‍🦽", "☂", "☂︎", "♀", "🤷🏻‍♀️", "🆕", "💯", "㊗", "‼", "🀄"]
ENTITIES = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&#x27;", "&apos;", "&nbsp;", "&eacute;", "&Eacute;", "&EACUTE;", "&uuml;", "&ouml", "&szlig;", "&copy;", "&reg", "&trade;", "&hellip;", "&mdash;",
            "&ndash;", "&rsquo;", "&ldquo;", "&rdquo;", "&laquo;", "&frac12;", "&deg;", "&euro;", "&pound;", "&yen;", "&times;", "&amp;amp;", "&amp;lt;", "&amp;#39;", "&amp;eacute;", "&amp;amp;eacute;", "&amp;amp;amp;",
            "&#8217;", "&#x2019;", "&#8482", "&#128;", "&#150;", "&#0;", "&#x110000;", "&#xD800;", "&#1234567;", "&#12;", "&#x1F457;", "&;", "&", "&&", "&foo;", "&notit;", "&notin;", "&ampamp;", "&AMP;", "&LT", "&#", "&#x;",
            "&zwnj;", "&zwj;", "&shy;", "&rlm;", "&ensp;", "&#768;", "e&#769;", "&fflig;", "&angst;", "&fjlig;", "&NotEqualTilde;", "&CounterClockwiseContourIntegral;", "&lt;b&gt;", "<b>", "</p>", "<br/>", "a < b &amp; c > d", "<3 &amp;"]
QUOTED = ["“{}”", "‘{}’", "„{}“", "«{}»", "‹{}›", "‟{}”", "{}’s", "the ’90s {}", "{} – {}", "{} — {}", "{}…", "•{}", "´{}´", "`{}`", "{}‚", "5′ 11″ {}", "don‘t {}", "rock ’n’ roll {}", "“‘{}’”", "{}ʼs", "＂{}＂", "{}!!!", "({})", "[{}]?!", "*{}*", "{}::{}", "{}--{}", "~{}^", "{}\\{}", "{}_{}"]
LIGATURES = ["ﬁ", "ﬂ", "ﬀ", "ﬃ", "ﬄ", "ﬅ", "ﬆ", "Ĳ", "ĳ", "ŉ", "Ǆ", "ǆ", "ǅ", "Ǉ", "Œ", "œ", "Æ", "æ", "ﬓ", "ﬔ", "ĿL", "ŀl", "ﷺ", "ﷲ", "㎏", "㎡", "№", "℡", "℃", "Ⅷ", "ⅷ", "①", "²", "½", "⅓", "ª", "º", "ﾊﾞ", "ｶﾞ", "ㅎ", "￥", "￦", "Å", "K", "Ω"]
CASES = ["İSTANBUL", "İ", "ı", "I", "STRASSE", "STRAẞE", "ſecond", "'ſ", "it'ſ", "ΑΣ", "ΑΣ.", "ΟΔΟΣ ΣΟΦΟΣ", "Σ", "ΑΣ1", "ΑΣΑ", "ΆΣ'", "ΌΣΟΣ-ΌΣ", "ǅungla", "ᲐᲮᲐᲚᲘ", "Ꭰ", "ꭰ", "ᏣᎳᎩ", "Ⓐ", "Ⅷ", "DŽ", "ẞ", "I'S", "WE'LL", "CAN'T", "YOU'RE", "I'VE",
         "I'M", "HE'D", "o'D", "''s", "'s", "s'", "'ll'", "don''t", "'re're", "x'll2", "'tis", "'T", "ŉ", "ΐ", "ὈΔΥΣΣΕΎΣ", "ᾈ", "Ⱥ", "Ɐ", "Ჿ", "𐐀𐐩", "𞤀𞤢"]
SPECIALS = ["<|startoftext|>", "<|endoftext|>", "a photo <|endoftext|> of a cat", "<|STARTOFTEXT|>", "<start_of_text>", "<end_of_text>", "a <end_of_text> b", "< |endoftext| >", "<|endoftext|", "[CLS] dress [SEP]", "[UNK]", "[PAD] [MASK]", "<unk>", "<pad>", "</s>", "<s>", "</w>", "dress</w>", "##ing", "▁dress", "Ġdress"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\r", "\u00a0", "\u2003", "\u2009", "\u202f", "\u3000", "\u1680", "\u2028", "\u2029", "\u0085", "\v", "\f", "\u180e", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\x1c", "\x1f", "\x00", "\x07", "\x08", "\x1b[31m", "\x1b[0m", "\x7f", "\x80", "\x9f", "\ufffc", "\ufffd", "\u2800", "\u3164", "\ufff9", "\U000e0001"]
MARKS = ["\u200e", "\u200f", "\u061c", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"]
ACCENTS = ["\u0301", "\u0300", "\u0308", "\u0323", "\u0327", "\u0332", "\u0338", "\u034f", "\u0489", "\u20dd", "\u1abe", "\u0345", "\u05bc", "\u0651", "\u093c", "\u0e31", "\u3099", "\ufe0f", "\ufe20"]
BLOCKS = [(0x21, 0x7E), (0xA1, 0x24F), (0x250, 0x36F), (0x370, 0x52F), (0x531, 0x5F4), (0x600, 0x77F), (0x900, 0xDFF), (0xE01, 0xE5B), (0xF00, 0xFFF), (0x10A0, 0x13FF), (0x1680, 0x18AA), (0x1E00, 0x1FFE), (0x2000, 0x2BFF),
          (0x2C00, 0x2DFF), (0x3000, 0x30FF), (0x3131, 0x33FF), (0x4E00, 0x9FFF), (0xA000, 0xA4C6), (0xAC00, 0xD7A3), (0xE000, 0xE0FF), (0xF900, 0xFAD9), (0xFB00, 0xFDFF), (0xFE10, 0xFFEF), (0x10000, 0x100FA), (0x10400, 0x104FF),
          (0x1D400, 0x1D7FF), (0x1F000, 0x1FAFF), (0x20000, 0x200FF), (0xE0020, 0xE007F)]


class Writer:
    def __init__(self):
        # Only choice() and randrange() are used, whose sequences Python keeps.
        self.random = random.Random(20231123)
        self.rows, self.seen = [], set()

    def pick(self, words):
        return words[self.random.randrange(len(words))]

    def chance(self, one_in):
        return self.random.randrange(one_in) == 0

    def add(self, kind, text):
        if text not in self.seen:
            self.seen.add(text)
            self.rows.append({"kind": kind, "text": text})

    def title(self):
        form = self.pick(["{b} {a} {c} {k}", "{b} {k} {c} {s}", "{c} {m} {k}", "{a} {k} - {c}, {s}", "{b} Men {c} {K}", "{k} ({m}, {c})", "{K} | {b} | {s}", "{b}: {a} {m} {k}; {c}/{c2}", "a photo of a {c} {k}", "{k}", "{b} {KK} {n}",
                          "{a}, {a2} {k} from {b} - {m} & {m2} [{s}]", "{c}{k}{n}", "#{n} {b}_{k}", "{k} for {s}, {n}% off!"])
        kind = self.pick(KINDS)
        return form.format(b=self.pick(BRANDS), a=self.pick(ADJECTIVES), a2=self.pick(ADJECTIVES), c=self.pick(COLOURS), c2=self.pick(COLOURS), m=self.pick(MATERIALS), m2=self.pick(MATERIALS), k=kind, K=kind.title(), KK=kind.upper(),
                           s=self.pick(SIZES), n=self.random.randrange(100_000))

    def foreign(self, language):
        adjectives, nouns, rest = LANGUAGES[language]
        text = " ".join([self.pick(nouns), self.pick(adjectives)] if self.chance(2) else [self.pick(adjectives), self.pick(nouns)])
        if self.chance(3):
            text += " " + rest
        if self.chance(4):
            text = f"{self.pick(BRANDS)} {text}"
        if self.chance(4):
            text += f", {self.pick(SIZES)}"
        return text.upper() if self.chance(8) else text

    def any(self):
        return self.title() if self.chance(2) else self.foreign(self.pick(list(LANGUAGES)))

    def sprinkled(self, text, bits):
        for _ in range(1 + self.random.randrange(3)):
            at = self.random.randrange(len(text) + 1)
            text = text[:at] + self.pick(bits) + text[at:]
        return text

    def letter(self):
        while True:
            first, last = self.pick(BLOCKS)
            letter = chr(first + self.random.randrange(last - first + 1))
            # Each package comes with the Unicode of its day; all know the letters of an old one.
            if unicodedata.ucd_3_2_0.category(letter) != "Cn":
                return letter


def sloppy(data, codec):
    """As a browser reads bytes: where the code page has no letter, the byte's own number."""
    return "".join(bytes([byte]).decode(codec) if bytes([byte]).decode(codec, "ignore") else chr(byte) for byte in data)


def broken(writer, text):
    """UTF-8 read as something else, as feeds and exports do."""
    way = writer.random.randrange(10)
    data = text.encode()
    if way <= 2:
        return sloppy(data, "cp1252")
    if way == 3:
        return data.decode("latin-1")
    if way == 4:
        return sloppy(sloppy(data, "cp1252").encode(), "cp1252")
    if way == 5:
        return sloppy(data, writer.pick(["cp1250", "cp1251", "cp437", "mac_roman", "iso8859_2"]))
    if way == 6:
        return sloppy(data, "cp1252").replace("\u00a0", " ")
    if way == 7:
        return data.decode("ascii", "replace")
    if way == 8:
        half = len(text) // 2
        return sloppy(text[:half].encode(), "cp1252") + text[half:]
    return sloppy(data, "cp1252").replace("Ã", "&Atilde;").replace("â", "&acirc;") if writer.chance(2) else sloppy(data, "cp1252").upper()


def wide(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u3000" if c == " " else c for c in text)


def build():
    """All texts, always the same."""
    w = Writer()
    for text in ["", " ", "   ", "\t", "\n", "\r\n\r\n", "\u00a0", "\u3000", "\u200b", "\ufeff", "\u200e", "\x00", "\x1c", "&nbsp;", "&#32;", "\u00ad", ".", "?", "'", "\"", "-", "0", "a", "é", "e\u0301", "ß", "中", "😀"]:
        w.add("blank and tiny", text)
    for kind, texts in (("entities", ENTITIES), ("ligatures", LIGATURES), ("upper and lower case", CASES), ("special tokens", SPECIALS), ("emoji", EMOJI), ("control and space", SPACES), ("marks of direction", MARKS), ("accents", ACCENTS)):
        for text in texts:
            w.add(kind, text)
            w.add(kind, f"red{text}dress")
            w.add(kind, f"red {text} dress")
    for _ in range(1500):
        w.add("product titles", w.title())
    for language in LANGUAGES:
        for _ in range(110):
            w.add(language, w.foreign(language))
    for _ in range(350):
        w.add("emoji", w.sprinkled(w.any(), EMOJI))
        w.add("entities", w.sprinkled(w.any(), ENTITIES))
        w.add("control and space", w.sprinkled(w.any(), SPACES))
        w.add("quotes and dashes", w.pick(QUOTED).format(w.any(), w.title()))
        w.add("accents", unicodedata.normalize(w.pick(["NFD", "NFKD", "NFKC", "NFC"]), w.any()) if w.chance(2) else w.sprinkled(w.any(), ACCENTS))
    for _ in range(700):
        text = w.any()
        if text.isascii():
            text = w.pick(["café ", "naïve ", "“", "it’s ", "Größe – ", "½ ", "señor ", "…", "£5 ", "©2023 ", "l’été "]) + text
        w.add("mojibake", broken(w, text))
    for _ in range(150):
        w.add("full width", wide(w.title()) if w.chance(2) else w.title().replace("1", "１").replace("a", "ａ").replace("!", "！"))
        w.add("ligatures", w.sprinkled(w.any(), LIGATURES))
        w.add("marks of direction", w.sprinkled(w.foreign(w.pick(["arabic", "hebrew", "persian"])), MARKS))
        w.add("upper and lower case", f"{w.pick(CASES)} {w.title()}" if w.chance(2) else w.any().upper())
    for _ in range(200):
        w.add("numbers and addresses", w.pick([f"{w.random.randrange(10**9)}", f"SKU-{w.random.randrange(10**6):06}-{w.pick(SIZES)}", f"https://shop.example/{w.pick(KINDS).replace(' ', '-')}?id={w.random.randrange(10**5)}&amp;ref=a%20b",
                                              f"{w.random.randrange(10**4) / 100:.2f} {w.pick(['€', '$', 'USD', '円', '₹'])}", f"info@{w.pick(['a', 'b'])}-shop.example", f"{w.random.randrange(99)}x{w.random.randrange(99)}×{w.random.randrange(99)}", f"IMG_{w.random.randrange(10**8)}.JPG",
                                              f"{w.random.randrange(10**6):,}", f"½{w.random.randrange(9)}²", f"٣{w.random.randrange(99)}१"]))
    for _ in range(120):
        w.add("500 words", " ".join(w.any() for _ in range(130))[:3000])
    for count in range(60, 100):
        w.add("around the limit", " ".join(["cat"] * count))
        w.add("around the limit", "".join(w.pick("0123456789") for _ in range(count)))
        w.add("around the limit", "中" * (count // 2) + "x" * (count % 7))
    for _ in range(400):
        w.add("any letter", w.letter())
        w.add("any letter", "".join(w.letter() for _ in range(2 + w.random.randrange(9))))
    while len(w.rows) < COUNT:
        # Everything at once.
        w.add("mixed", w.sprinkled(w.sprinkled(w.any(), w.pick([EMOJI, ENTITIES, SPACES, LIGATURES])), w.pick([ENTITIES, MARKS, ACCENTS, CASES])))
    assert len(w.rows) == COUNT, len(w.rows)
    return w.rows


def write(file=FILE):
    rows = build()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return rows


if __name__ == "__main__":
    rows = write(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
    kinds = {}
    for row in rows:
        kinds[row["kind"]] = kinds.get(row["kind"], 0) + 1
    print("\n".join(f"{count:6} {kind}" for kind, count in kinds.items()), f"\n{len(rows):6} in all, no two the same")
