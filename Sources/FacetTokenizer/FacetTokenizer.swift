// FacetTokenizer
