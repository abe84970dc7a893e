"""Breaks the real handler at every call that it makes, and looks whether it keeps its promises.

`system` runs the entry points over models of everything around them; each call is a
`points.Point`, at which a chooser says what goes wrong. `single` and `interleaved` try all
choices, `machine` has hypothesis choose, `promises` judges, and `mutants` says whether it would
be noticed.
"""
