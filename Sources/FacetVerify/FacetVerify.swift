// FacetVerify
