"""Systems worth watching, offline and deterministic.

Every sample is a module or folder of this package: `python -m flightlog_samples.NAME --out DIR` records its story,
`python -m flightlog_samples --list` names them all.
"""
