"""The codes of ISO 639: by which a language is named where others write it with another code (sw, swa, swh).

The first of a row has two letters (ISO 639-1), the second three (639-3); a third is the individual language that
FLORES-200 writes for a macrolanguage.
"""

import re

_ROWS = """
    aa aar, ab abk, ae ave, af afr, ak aka, am amh, an arg, ar ara arb, as asm, av ava, ay aym ayr, az aze azj,
    ba bak, be bel, bg bul, bi bis, bm bam, bn ben, bo bod, br bre, bs bos, ca cat, ce che, ch cha, co cos, cr cre,
    cs ces, cu chu, cv chv, cy cym, da dan, de deu, dv div, dz dzo, ee ewe, el ell, en eng, eo epo, es spa,
    et est ekk, eu eus, fa fas pes, ff ful fuv, fi fin, fj fij, fo fao, fr fra, fy fry, ga gle, gd gla, gl glg,
    gn grn gug, gu guj, gv glv, ha hau, he heb, hi hin, ho hmo, hr hrv, ht hat, hu hun, hy hye, hz her, ia ina,
    id ind, ie ile, ig ibo, ii iii, ik ipk, io ido, is isl, it ita, iu iku, ja jpn, jv jav, ka kat, kg kon, ki kik,
    kj kua, kk kaz, kl kal, km khm, kn kan, ko kor, kr kau knc, ks kas, ku kur kmr, kv kom, kw cor, ky kir, la lat,
    lb ltz, lg lug, li lim, ln lin, lo lao, lt lit, lu lub, lv lav lvs, mg mlg plt, mh mah, mi mri, mk mkd, ml mal,
    mn mon khk, mr mar, ms msa zsm, mt mlt, my mya, na nau, nb nob, nd nde, ne nep npi, ng ndo, nl nld, nn nno,
    no nor, nr nbl, nv nav, ny nya, oc oci, oj oji, om orm gaz, or ori ory, os oss, pa pan, pi pli, pl pol,
    ps pus pbt, pt por, qu que quy, rm roh, rn run, ro ron, ru rus, rw kin, sa san, sc srd, sd snd, se sme, sg sag,
    sh hbs, si sin, sk slk, sl slv, sm smo, sn sna, so som, sq sqi als, sr srp, ss ssw, st sot, su sun, sv swe,
    sw swa swh, ta tam, te tel, tg tgk, th tha, ti tir, tk tuk, tl tgl fil, tn tsn, to ton, tr tur, ts tso, tt tat,
    tw twi, ty tah, ug uig, uk ukr, ur urd, uz uzb uzn, ve ven, vi vie, vo vol, wa wln, wo wol, xh xho, yi yid ydd,
    yo yor, za zha, zh zho cmn, zu zul
"""
CODES = {codes[0]: tuple(codes) for codes in map(str.split, _ROWS.split(","))}
_SHORTEST = {code: codes[0] for codes in CODES.values() for code in codes}


def is_code(text: str) -> bool:
    """Whether a text can be a code: one of the two-letter ones, or any three letters (there are over 7,000)."""
    return text in CODES or re.fullmatch("[a-z]{3}", text) is not None


def codes_of(code: str) -> tuple[str, ...]:
    """All codes of the language that has this one, the shortest first."""
    shortest = _SHORTEST.get(code, code)
    return CODES.get(shortest, (shortest,))
