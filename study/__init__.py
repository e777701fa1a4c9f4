"""What a point of a study means: its spec, its stages, how each is computed, and the rows that come out.

This package imports neither Ray nor pandas, and none of the other rooms. The module itself stays empty,
so that ``import study.results`` costs no torch.
"""
