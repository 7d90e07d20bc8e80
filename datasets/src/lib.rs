//! Seeded fleets with labelled incidents, and loaders of labelled data.
