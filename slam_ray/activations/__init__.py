"""Which neurons fire? The counting of activated neurons per language and layer, a Ray Data job (paper, section 3.1)."""
