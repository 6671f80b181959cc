// FacetModel
