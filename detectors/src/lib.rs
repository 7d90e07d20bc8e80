//! Detectors: what is normal, and how far a point is from it.
