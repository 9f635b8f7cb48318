"""Twin of gencli.batches in plain lists: documents are laid token by token, rows are cut, steps are dealt out."""

PADDING = {"input": 0, "target": 0, "start": False, "weight": 0.0, "position": -1}


def laid_steps(ids, lengths, order):
    """One dict for every token, in the order laid."""
    documents, begin = [], 0
    for length in lengths:
        documents.append(list(range(begin, begin + length)))
        begin += length
    steps = []
    for which in order:
        previous = None
        for position in documents[which]:
            step = {"target": ids[position], "weight": 1.0, "position": position, "start": previous is None}
            step["input"] = 0 if previous is None else ids[previous]
            steps.append(step)
            previous = position
    return steps


def row_beginnings(steps, rows, seq_length, whole_documents):
    """Where each row begins among the steps."""
    row = len(steps) // rows
    reach = max(seq_length, row // 10)
    while reach > 0 and 2 * reach >= row:
        reach -= 1
    boundaries = [place for place, step in enumerate(steps) if step["start"]] + [len(steps)]
    beginnings = [0]
    for number in range(1, rows):
        ideal = number * len(steps) // rows
        best = boundaries[0]
        for boundary in boundaries:
            if abs(boundary - ideal) < abs(best - ideal):
                best = boundary
        beginnings.append(best if whole_documents or abs(best - ideal) <= reach else ideal)
    return beginnings


def windows(ids, lengths, order, rows, seq_length, whole_documents=False):
    """The windows in order, each a list of time steps, each a list of B dicts."""
    steps = laid_steps(ids, lengths, order)
    beginnings = row_beginnings(steps, rows, seq_length, whole_documents)
    dealt = []
    for number, begin in enumerate(beginnings):
        end = beginnings[number + 1] if number + 1 < rows else len(steps)
        dealt.append(steps[begin:end])
    longest = max(len(row) for row in dealt)
    for row in dealt:
        if len(row) < longest:
            row.append(dict(PADDING, start=True))
        while len(row) < longest:
            row.append(dict(PADDING))
    times = [[row[time] for row in dealt] for time in range(longest)]
    return [times[begin : begin + seq_length] for begin in range(0, longest, seq_length)]
