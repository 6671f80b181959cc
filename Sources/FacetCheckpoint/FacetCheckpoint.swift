// FacetCheckpoint
