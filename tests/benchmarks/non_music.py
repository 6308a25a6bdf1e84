"""How many recordings that are not music are refused a key, and how many recordings of music are.

``python -m tests.benchmarks.non_music`` makes 154 clips that have no key: speech in many languages, voices,
speeds and pitches (with ``espeak-ng``; without it, speech is left out and a line says so), noise of many
colours and bands, applause, drum loops, and textures such as rain and engines. Each clip is analysed at four
levels. A table shows how many of each kind were refused; the others are listed.

``--music FOLDER`` adds the recordings in a folder, as they are and degraded (narrow bandwidth, few bits, very
low level, hard clipping, see :func:`spoil`): none of these may be refused. ``--more FOLDER`` adds a folder of
other recordings that are not music, such as samples of real drums. Every clip is made from a seed: two runs
make the same clips.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tests.benchmarks.percussion import RATE, applause, crackle, drum_loops, engine, hits_as_rain
from tfkey import KeyEstimator
from tfkey.audio.reading import read

LEVELS = (0.0, -20.0, -45.0, -65.0)
"""dB by which a clip is made softer; as made, clips peak at -3 dBFS."""

TEXTS = {
    "en-us": "The committee met on Tuesday to discuss the new bridge. Nobody could say how long it would "
    "take, or what it might cost. Have you ever seen anything like it? I certainly have not.",
    "en-gb": "Good evening, and here is the shipping forecast. There are warnings of gales in Viking, "
    "Dogger and Fisher. Rain at first, good later. Visibility moderate or poor.",
    "de": "Der Zug nach Hamburg fährt heute von Gleis sieben ab. Bitte beachten Sie die geänderte "
    "Wagenreihung. Wir bitten um Entschuldigung für die Verspätung von zwanzig Minuten.",
    "fr-fr": "Mesdames et messieurs, le musée fermera ses portes dans un quart d'heure. Nous vous prions "
    "de vous diriger vers la sortie. Avez-vous oublié quelque chose au vestiaire ?",
    "es": "El tiempo para mañana será soleado en el sur y nublado en el norte. Las temperaturas subirán "
    "ligeramente. ¿Quién iba a decirlo? Llevamos tres semanas sin ver el sol.",
    "it": "Prendete due uova, cento grammi di farina e un pizzico di sale. Mescolate bene e lasciate "
    "riposare per mezz'ora. Poi stendete la pasta con un mattarello, piano piano.",
    "pt-br": "O ônibus passa às oito e quinze, mas quase sempre chega atrasado. Você sabe onde fica a "
    "farmácia mais próxima? Fica logo depois da praça, do lado esquerdo da rua.",
    "pl": "W poniedziałek rano pada deszcz, a po południu świeci słońce. Czy możesz mi powiedzieć, która "
    "jest godzina? Dziękuję bardzo, muszę już iść do pracy.",
    "ru": "Завтра утром мы поедем на дачу. Нужно взять с собой тёплую одежду и немного еды. Ты не знаешь, "
    "во сколько отправляется электричка? Кажется, в половине девятого.",
    "sv": "Tåget mot Göteborg är tjugo minuter försenat. Vi beklagar det inträffade. Har du tid att ta en "
    "kopp kaffe under tiden? Det finns ett litet kafé precis runt hörnet.",
    "fi": "Huomenna sataa lunta koko maassa. Muista ottaa lämpimät vaatteet mukaan. Mihin aikaan juna "
    "lähtee asemalta? Luulen, että se lähtee puoli kymmeneltä.",
    "tr": "Yarın sabah erkenden yola çıkacağız. Hava biraz serin olabilir. Otobüs saat kaçta kalkıyor? "
    "Sanırım sekiz buçukta, ama emin değilim.",
    "hi": "कल सुबह हम बाज़ार जाएँगे। मुझे थोड़ी सब्ज़ी और फल खरीदने हैं। क्या तुम मेरे साथ चलोगे? हाँ, ज़रूर चलूँगा।",
    "cmn-latn-pinyin": "ming2tian1 zao3shang5 wo3men5 qu4 gong1yuan2 san4bu4. ni3 xiang3 yi4qi3 lai2 ma5? "
    "tian1qi4 yu4bao4 shuo1 bu2 hui4 xia4yu3, suo3yi3 bu2 yong4 dai4 san3.",
    "ja": "あしたのあさは はやく でかけます。えきまで あるいて じゅっぷん かかります。"
    "いっしょに いきませんか。",
    "el": "Αύριο το πρωί θα πάμε στη θάλασσα. Θέλεις να έρθεις μαζί μας; Το λεωφορείο φεύγει στις οκτώ.",
}  # fmt: skip
# Voice variant, words per minute, pitch (0 to 99): each is spoken in as many languages as SPEAKERS has room.
VOICES = [
    ("m1", 140, 35), ("f2", 175, 55), ("m3", 200, 20), ("f4", 120, 70), ("m7", 230, 50), ("croak", 150, 15),
    ("whisper", 160, 50), ("klatt", 165, 40), ("f5", 260, 90), ("grandpa", 110, 30),
]  # fmt: skip
SPEAKERS = 4
SECONDS = 12.0

Clips = Iterator[tuple[str, str, np.ndarray]]


def speech(folder: Path) -> Clips:
    """Voices of espeak-ng, float32 ``[samples]`` each."""
    for number in range(len(TEXTS) * SPEAKERS):
        language = list(TEXTS)[number % len(TEXTS)]
        variant, speed, pitch = VOICES[number % len(VOICES)]
        name = f"{language}+{variant} {speed} {pitch}"
        path = folder / "speech.wav"
        command = ["espeak-ng", "-v", f"{language}+{variant}", "-s", str(speed), "-p", str(pitch)]
        subprocess.run([*command, "-w", str(path), TEXTS[language]], check=True, capture_output=True)
        yield "speech", name, read(path, RATE)


def colours() -> Clips:
    """Noise whose power falls or rises by a number of dB an octave."""
    for slope in (-9, -6, -4.5, -3, -1.5, 0, 3, 6):
        yield "noise", f"{slope:+} dB/octave", _filtered(lambda f, s=slope: (f / 1000) ** (s / 6.02), 1)


def bands() -> Clips:
    """White and pink noise in bands with edges from soft to as sharp as filters are."""
    for low, high, order in (
        (20, 200, 1), (20, 400, 4), (20, 1000, 2), (20, 3000, 8), (200, 800, 2), (250, 500, 4),
        (300, 3400, 8), (400, 800, 16), (500, 1000, 2), (700, 1000, 4), (800, 1200, 2), (800, 1600, 16),
        (1000, 4000, 4), (1000, 16000, 8), (2000, 8000, 4), (3000, 16000, 2), (100, 300, 8), (60, 120, 2),
        (1400, 1800, 4),
    ):  # fmt: skip
        for slope in (0, -3):

            def gain(f: np.ndarray, low=low, high=high, order=order, slope=slope) -> np.ndarray:
                edges = 1 / np.sqrt((1 + (low / f) ** (2 * order)) * (1 + (f / high) ** (2 * order)))
                return edges * (f / 1000) ** (slope / 6.02)

            yield (
                "noise in a band",
                f"{low}-{high} Hz, order {order}, {slope:+} dB/octave",
                _filtered(gain, 2),
            )


def textures() -> Clips:
    """Rain, vinyl crackle, wind, surf, engines."""
    for seed, (name, make) in enumerate(
        (
            ("rain", hits_as_rain),
            ("crackle", crackle),
            ("wind", _wind),
            ("surf", _surf),
            ("engine", engine),
            ("steady fan", lambda rng: _filtered(lambda f: 1 / (1 + (f / 300) ** 2), 9)),
        )
    ):
        for turn in range(2):
            yield "texture", f"{name} {turn}", make(np.random.default_rng([seed, turn]))


def claps() -> Clips:
    """Applause of few and of many people."""
    for turn, people in enumerate((1, 2, 4, 8, 20, 50, 120, 400)):
        yield "applause", f"{people} people", applause(np.random.default_rng([7, turn]), people)


def drums() -> Clips:
    """Loops of synthetic kits."""
    for name, loop in drum_loops():
        yield "drums", name, loop


def spoil(waveform: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """What becomes of music, float32 ``[samples]`` at RATE, in bad files."""
    rng = np.random.default_rng(0)
    peak = max(float(np.abs(waveform).max()), 1e-9)
    full = waveform / peak
    narrow = soxr.resample(waveform, RATE, 4000)
    yield "4 kHz", soxr.resample(narrow, 4000, RATE)
    yield "8 bit", np.round(full * 127) / 128
    yield "8 bit at -20 dB", np.round(full * 12.7) / 128
    yield "-40 dB in 16 bit", np.round(full * 0.01 * 32767) / 32768
    yield "-70 dB in 24 bit", np.round(full * 10**-3.5 * 2**23) / 2**23
    yield "-75 dB in 16 bit", np.round(full * 10**-3.75 * 32768 + rng.uniform(-0.5, 0.5, full.size)) / 32768
    yield "clipped", np.clip(full * 20, -0.9, 0.9)
    yield "direct current", np.clip(0.3 * full + 0.6, -1, 1)


def _filtered(gain: Callable[[np.ndarray], np.ndarray], seed: int) -> np.ndarray:
    """Gaussian noise times a gain over the frequency in Hz."""
    size = round(SECONDS * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(size))
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 1.0)
    spectrum *= np.where(frequency >= 20, gain(np.maximum(frequency, 20.0)), 0.0)
    return np.fft.irfft(spectrum, size)


def _wind(rng: np.random.Generator) -> np.ndarray:
    gust = np.interp(np.linspace(0, 30, round(SECONDS * RATE)), np.arange(31), rng.uniform(0.2, 1, 31))
    return gust * _filtered(lambda f: 1 / (1 + (f / 250) ** 2), int(rng.integers(1000)))


def _surf(rng: np.random.Generator) -> np.ndarray:
    time = np.arange(round(SECONDS * RATE)) / RATE
    swell = (0.55 + 0.45 * np.sin(2 * np.pi * time / 5)) ** 2
    return swell * _filtered(lambda f: (f / 500) ** -0.5, int(rng.integers(1000)))


def _normal(sound: np.ndarray) -> np.ndarray:
    """A clip that peaks at -3 dBFS."""
    return (sound * (10 ** (-3 / 20) / np.abs(sound).max())).astype(np.float32)


def _clips(scratch: Path) -> Clips:
    if shutil.which("espeak-ng"):
        yield from speech(scratch)
    else:
        print("speech is left out: espeak-ng is not installed")
    for kind in (colours, bands, textures, claps, drums):
        yield from kind()


def _at_levels(sound: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    for level in LEVELS:
        # As 16-bit files hold it: with their dither.
        soft = _normal(sound) * 10 ** (level / 20) * 32768
        dithered = np.round(soft + rng.uniform(-0.5, 0.5, sound.size) + rng.uniform(-0.5, 0.5, sound.size))
        yield f"{level:+.0f} dB", (np.clip(dithered, -32768, 32767) / 32768).astype(np.float32)


def _folder(folder: Path, kind: str) -> Clips:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in (".wav", ".flac", ".ogg", ".mp3", ".aif", ".aiff", ".opus"):
            yield kind, path.name, read(path, RATE)


class Table:
    """Counts by row and column, and the names of what was counted."""

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, list[int]]] = {}

    def add(self, row: str, column: str, counted: bool) -> None:
        """Count one of a row and column."""
        cell = self.counts.setdefault(row, {}).setdefault(column, [0, 0])
        cell[0] += counted
        cell[1] += 1

    def show(self, title: str) -> None:
        """Print it, with a row of sums."""
        print(f"\n{title}")
        columns = list(next(iter(self.counts.values())))
        width = max(len("000 of 000"), *(len(column) for column in columns)) + 2
        print(" " * 18 + "".join(f"{column:>{width}}" for column in columns))
        sums = {column: [0, 0] for column in columns}
        for row, cells in self.counts.items():
            print(f"{row:18}" + "".join(f"{f'{cells[c][0]} of {cells[c][1]}':>{width}}" for c in columns))
            for column in columns:
                sums[column] = [a + b for a, b in zip(sums[column], cells[column], strict=True)]
        print(f"{'all':18}" + "".join(f"{f'{sums[c][0]} of {sums[c][1]}':>{width}}" for c in columns))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--music", type=Path, help="a folder of music, none of which may be refused")
    parser.add_argument("--more", type=Path, help="a folder of other recordings that are not music")
    parser.add_argument("--save", type=Path, help="a folder for the clips that are made, as 16-bit WAV")
    parser.add_argument("--model", type=Path, help="an export; default: the weights that come with tfkey")
    options = parser.parse_args()
    estimator = KeyEstimator.from_export(options.model) if options.model else KeyEstimator.from_pretrained()
    table, wrong = Table(), []
    with tempfile.TemporaryDirectory() as scratch:
        clips = list(_clips(Path(scratch)))
    if options.more:
        clips += _folder(options.more, "more")
    for number, (kind, name, sound) in enumerate(clips):
        for level, clip in _at_levels(sound):
            refused = estimator.estimate(clip, RATE).key is None
            table.add(kind, level, refused)
            if not refused:
                wrong.append(f"{kind}: {name} at {level}")
        if options.save:
            options.save.mkdir(parents=True, exist_ok=True)
            soundfile.write(options.save / f"{number:03d} {kind}.wav", _normal(sound), RATE, "PCM_16")
    table.show(f"{len(clips)} clips that are not music: refused (the more the better)")
    print("\n".join(["", "Not refused:", *wrong]))
    if options.music:
        table, wrong = Table(), []
        for _, name, sound in _folder(options.music, ""):
            for state, music in (("as it is", sound), *spoil(sound)):
                refused = estimator.estimate(music.astype(np.float32), RATE).key is None
                table.add("music", state, refused)
                if refused:
                    wrong.append(f"{name} {state}")
        table.show("music: refused (none may be)")
        print("\n".join(["", "Refused:", *wrong]))


if __name__ == "__main__":
    main()
