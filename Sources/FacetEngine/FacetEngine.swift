// FacetEngine
