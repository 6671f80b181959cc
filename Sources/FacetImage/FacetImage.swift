// FacetImage
