//! A principal subspace with isotropic noise around it (Tipping and Bishop, "Probabilistic PCA", 1999).
//!
//! The covariance is read as `V diag(l) V' + s2 (I - V V')`: the leading directions keep their variances, all
//! others share one. The distance of a vector then splits into energy inside the subspace, each direction by
//! its own variance, and residual energy outside of it, and costs `r` dot products. The last coordinate's
//! value given all others follows from the last row of the same matrix's inverse: one dot product.

use linfa_linalg::eigh::EighInto;
use ndarray::Array2;

use crate::dot::dot;
use crate::error::DetectorError;
use crate::state::{Reader, Writer};

/// Directions kept at most.
const RANK_MAX: usize = 16;

/// A fitted subspace.
#[derive(Debug, Clone)]
pub(crate) struct Subspace {
    mean: Vec<f64>,
    /// `rank` rows of unit length, one after the other.
    directions: Vec<f64>,
    variances: Vec<f64>,
    noise: f64,
    /// The last row of the precision matrix over its last entry, and the variance that is left.
    conditional: Vec<f64>,
    conditional_variance: f64,
}

impl Subspace {
    /// Fits mean and covariance; keeps as many directions as explain the share `explained` of the variance. The
    /// noise around them gets at least the variance `noise_floor`.
    ///
    /// # Errors
    /// [`DetectorError::Fit`] where the covariance is not finite or cannot be decomposed.
    pub(crate) fn fit(
        mean: Vec<f64>,
        covariance: Array2<f64>,
        explained: f64,
        noise_floor: f64,
    ) -> Result<Self, DetectorError> {
        let dims = mean.len();
        let fit_error = |reason: String| DetectorError::Fit {
            detector: "pca",
            reason,
        };
        if !covariance.iter().all(|value| value.is_finite()) {
            return Err(fit_error("the covariance is not finite".to_owned()));
        }
        let (values, vectors) = covariance
            .eigh_into()
            .map_err(|error| fit_error(error.to_string()))?;
        let mut order: Vec<usize> = (0..dims).collect();
        order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
        let total: f64 = values.iter().map(|value| value.max(0.0)).sum();
        let floor = (1e-6 * total / dims as f64).max(1e-12).max(noise_floor);
        let (mut rank, mut kept) = (0, 0.0);
        while rank < RANK_MAX.min(dims.saturating_sub(1)) && kept < explained * total {
            kept += values[order[rank]].max(0.0);
            rank += 1;
        }
        let noise = ((total - kept) / (dims - rank).max(1) as f64).max(floor);
        let variances: Vec<f64> = order[..rank]
            .iter()
            .map(|index| values[*index].max(noise))
            .collect();
        let directions: Vec<f64> = order[..rank]
            .iter()
            .flat_map(|index| vectors.column(*index).to_vec())
            .collect();
        let mut conditional = vec![0.0; dims];
        conditional[dims - 1] = 1.0 / noise;
        for (direction, variance) in directions.chunks_exact(dims).zip(&variances) {
            let last = direction[dims - 1] * (1.0 / variance - 1.0 / noise);
            conditional
                .iter_mut()
                .zip(direction)
                .for_each(|(entry, value)| *entry += last * value);
        }
        let precision = conditional[dims - 1].max(f64::MIN_POSITIVE);
        conditional.iter_mut().for_each(|entry| *entry /= precision);
        Ok(Self {
            mean,
            directions,
            variances,
            noise,
            conditional,
            conditional_variance: 1.0 / precision,
        })
    }

    /// Mean squared distance per dimension, about 1 for vectors like those of the fit. `centred` is overwritten
    /// with the vector less the mean.
    pub(crate) fn distance(&self, vector: &[f64], centred: &mut Vec<f64>) -> f64 {
        centred.clear();
        centred.extend(vector.iter().zip(&self.mean).map(|(value, mean)| value - mean));
        let mut outside = dot(centred, centred);
        let mut inside = 0.0;
        for (direction, variance) in self.directions.chunks_exact(centred.len()).zip(&self.variances) {
            let along = dot(direction, centred).powi(2);
            outside -= along;
            inside += along / variance;
        }
        (inside + outside.max(0.0) / self.noise) / centred.len() as f64
    }

    /// How far the last coordinate is from what the others let expect; takes the centred vector that
    /// [`distance`](Self::distance) left.
    pub(crate) fn surprise(&self, centred: &[f64]) -> f64 {
        dot(&self.conditional, centred)
    }

    /// The standard deviation of the surprise as the model has it.
    pub(crate) fn surprise_sigma(&self) -> f64 {
        self.conditional_variance.sqrt()
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        for values in [&self.mean, &self.directions, &self.variances, &self.conditional] {
            writer.floats(values);
        }
        writer.f64(self.noise);
        writer.f64(self.conditional_variance);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let (mean, directions, variances) = (reader.floats()?, reader.floats()?, reader.floats()?);
        let conditional = reader.floats_of(mean.len())?;
        let (noise, conditional_variance) = (reader.f64()?, reader.f64()?);
        Ok(Self {
            mean,
            directions,
            variances,
            noise,
            conditional,
            conditional_variance,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn a_known_covariance_gives_the_known_distance() {
        // Variance 4 along (1,1,0)/sqrt 2, and 0.25 across it: the rest is 0.25 everywhere.
        let covariance = array![[2.125, 1.875, 0.0], [1.875, 2.125, 0.0], [0.0, 0.0, 0.25]];
        let fit = Subspace::fit(vec![1.0, 1.0, 0.0], covariance, 0.8, 0.0).expect("well formed");
        let mut centred = Vec::new();
        let along = fit.distance(&[2.0, 2.0, 0.0], &mut centred);
        assert!((along - 2.0 / 4.0 / 3.0).abs() < 1e-9, "{along}");
        let across = fit.distance(&[2.0, 0.0, 0.0], &mut centred);
        assert!((across - 2.0 / 0.25 / 3.0).abs() < 1e-9, "{across}");
        let alone = fit.distance(&[1.0, 1.0, 0.5], &mut centred);
        assert!((alone - 1.0 / 3.0).abs() < 1e-9 && (fit.surprise(&centred) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn the_last_coordinate_follows_from_the_others() {
        let covariance = array![[2.125, 1.875], [1.875, 2.125]];
        let fit = Subspace::fit(vec![0.0, 0.0], covariance, 0.8, 0.0).expect("well formed");
        let mut centred = Vec::new();
        let _ = fit.distance(&[1.0, 1.0], &mut centred);
        // Regression of the second on the first: slope 1.875 / 2.125, variance 2.125 - 1.875^2 / 2.125.
        assert!((fit.surprise(&centred) - (1.0 - 1.875 / 2.125)).abs() < 1e-9);
        assert!((fit.surprise_sigma().powi(2) - (2.125 - 1.875f64.powi(2) / 2.125)).abs() < 1e-9);
    }

    #[test]
    fn a_covariance_that_is_no_number_is_refused_and_zero_is_not() {
        assert!(Subspace::fit(vec![0.0; 2], array![[f64::NAN, 0.0], [0.0, 1.0]], 0.9, 0.0).is_err());
        let fit = Subspace::fit(vec![0.0; 2], Array2::zeros((2, 2)), 0.9, 0.0).expect("floored");
        assert!(fit.distance(&[0.0, 0.0], &mut Vec::new()) == 0.0);
    }
}
