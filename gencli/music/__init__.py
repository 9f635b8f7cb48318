"""Tunes: lead sheets, chord symbols, readers and writers. The only place that knows music21."""
