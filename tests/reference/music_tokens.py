"""Tunes as tokens, tick by tick: the same language as gencli's, written the plainest way.

A tune is a dictionary: header (five tokens), bars [(length, meter)], notes [(start, duration, pitch)],
changes [(start, tokens)].
"""

METER_TICKS = 48  # of a whole note
LONGEST = 48
UNITS = (48, 24, 12, 6, 3, 1)


def meter_ticks(meter):
    """ "3/4" -> 36"""
    beats, unit = meter.split("/")
    return int(beats) * METER_TICKS // int(unit)


def cells(tune):
    """What sounds at each tick: None, or the number of a note."""
    total = sum(length for length, _ in tune["bars"])
    grid = [None] * total
    for number, (start, duration, _) in enumerate(tune["notes"]):
        for tick in range(start, start + duration):
            assert grid[tick] is None
            grid[tick] = number
    return grid


def encode(tune):
    """The tokens of a tune, without the end."""
    grid, changes = cells(tune), dict(tune["changes"])
    tokens = list(tune["header"])
    meter = tokens[1].removeprefix("METER_")
    tick = 0
    for length, own in tune["bars"]:
        if own != meter:
            tokens.append(f"METER_{own}")
            meter = own
        if length != meter_ticks(meter):
            rest = length
            while rest:
                unit = next(unit for unit in UNITS if unit <= rest)
                tokens.append(f"LENGTH_{unit}")
                rest -= unit
        tokens.append("BAR")
        end = tick + length
        while tick < end:
            tokens += changes.get(tick, [])
            note = grid[tick]
            begins = note is not None and tune["notes"][note][0] == tick
            tokens.append("R" if note is None else f"P{tune['notes'][note][2]}" if begins else "H")
            span = 1
            while span < LONGEST and tick + span < end and tick + span not in changes and grid[tick + span] == note:
                span += 1
            tokens.append(f"D{span}")
            tick += span
    return tokens


def decode(tokens):
    """The tune of tokens, the end left out or not; AssertionError where they are malformed in any way."""
    header, rest = tokens[:5], [token for token in tokens[5:] if token != "<EOS>"]
    assert [token.split("_")[0] for token in header] == ["LABEL", "METER", "SWING", "TEMPO", "KEY"]
    tune = {"header": header, "bars": [], "notes": [], "changes": []}
    meter, place, tick, sounding = header[1][6:], 0, 0, False
    while place < len(rest):
        if rest[place].startswith("METER_"):
            assert rest[place][6:] != meter
            meter, place = rest[place][6:], place + 1
        length = 0
        while rest[place].startswith("LENGTH_"):
            length, place = length + int(rest[place][7:]), place + 1
        assert length != meter_ticks(meter)
        assert rest[place] == "BAR"
        place += 1
        tune["bars"].append((length or meter_ticks(meter), meter))
        end = tick + tune["bars"][-1][0]
        while tick < end:
            if rest[place].startswith("C:"):
                bass = rest[place + 1 : place + 2] if rest[place + 1].startswith("B:") else []
                tune["changes"].append((tick, [rest[place], *bass]))
                place += 1 + len(bass)
            event, duration = rest[place], rest[place + 1]
            assert duration.startswith("D")
            place, ticks = place + 2, int(duration[1:])
            assert 0 < ticks <= min(LONGEST, end - tick)
            if event.startswith("P"):
                tune["notes"].append((tick, ticks, int(event[1:])))
            elif event == "H":
                assert sounding
                start, before, pitch = tune["notes"][-1]
                assert start + before == tick
                tune["notes"][-1] = (start, before + ticks, pitch)
            else:
                assert event == "R"
            sounding = event != "R"
            tick += ticks
        assert tick == end
    assert [start for start, _ in tune["changes"]] == sorted({start for start, _ in tune["changes"]})
    return tune


def side(tokens, labels, keys, told, sounding):
    """(17, N) side ids, by reading the tokens from the left. Labels and keys are the vocabulary's, in order.

    sounding: the pitch classes of each chord by its token.
    """
    times, tick = [], 0
    for token in tokens:
        times.append(tick)
        tick += int(token[1:]) if token.startswith("D") else 0
    rows, meter, length, said, start, chord, label, key = [], 0, None, 0, None, None, 0, 0
    for number, token in enumerate(tokens):
        distance = 0
        if told:
            later = [other for other in range(number, len(tokens)) if tokens[other].startswith("C:")]
            distance = 1 + min(times[later[0]] - times[number] if later else 96, 96)
        place = 0 if start is None else times[number] - start
        left = 0 if start is None else 1 + min(length - place, 96)
        place = 0 if start is None else 1 + (place if place < 96 else 48 + place % 48)
        changed = number > 0 and tokens[number - 1][:2] in ("C:", "B:") and chord != "C:NC"
        heard = [1 + (tone in sounding[chord]) if changed else 0 for tone in range(12)]
        rows.append((place, left, distance, label, key, *heard))
        if token.startswith("METER_"):
            meter = meter_ticks(token[6:])
        elif token.startswith("LENGTH_"):
            said += int(token[7:])
        elif token == "BAR":
            length, said, start = said or meter, 0, times[number]
        elif token.startswith("C:"):
            chord = token
        elif token.startswith("LABEL_"):
            label = labels.index(token)
        elif token.startswith("KEY_"):
            key = 0 if told else keys.index(token)
    return [list(row) for row in zip(*rows, strict=True)]


def transposed(tokens, semitones):
    """The tokens of the same tune higher or lower."""
    flats = ["C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B"]
    keys = {"F#": "Gb", "C#m": "Dbm", "D#m": "Ebm", "F#m": "Gbm", "G#m": "Abm"}
    back = {name: spelt for spelt, name in keys.items()}

    def moved(name):
        return flats[(flats.index(name) + semitones) % 12]

    def key(name):
        name = keys.get(name, name)
        minor = "m" if name.endswith("m") else ""
        name = moved(name.removesuffix("m")) + minor
        return back.get(name, name)

    def one(token):
        if token.startswith("P"):
            return f"P{int(token[1:]) + semitones}"
        if token.startswith("B:"):
            return f"B:{moved(token[2:])}"
        if token.startswith("C:") and token != "C:NC":
            root, quality = token[2:].split(":")
            return f"C:{moved(root)}:{quality}"
        if token.startswith("KEY_") and token != "KEY_?":
            return f"KEY_{key(token[4:])}"
        return token

    return [one(token) for token in tokens]
