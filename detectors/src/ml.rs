//! Machine learning on windows: what the rows before a row, and the columns beside it, say of it.

mod moments;
mod pca;
mod subspace;
mod window;

pub(crate) use pca::{Pca, WIDTH_MAX as PCA_WIDTH_MAX};
