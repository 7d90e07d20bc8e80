//! Weighted mean and covariance of vectors, with slow forgetting: all the past a subspace needs, in d^2 numbers.

use ndarray::{Array1, Array2};

use crate::error::DetectorError;
use crate::state::{Reader, Writer};

/// Running sums of vectors of one length.
#[derive(Debug, Clone)]
pub(crate) struct Moments {
    dims: usize,
    /// Weight at which the past is halved.
    memory: f64,
    weight: f64,
    sum: Vec<f64>,
    /// Lower triangle, row by row.
    products: Vec<f64>,
}

impl Moments {
    pub(crate) fn new(dims: usize, memory: f64) -> Self {
        let products = vec![0.0; dims * (dims + 1) / 2];
        Self {
            dims,
            memory,
            weight: 0.0,
            sum: vec![0.0; dims],
            products,
        }
    }

    pub(crate) fn weight(&self) -> f64 {
        self.weight
    }

    /// Adds one vector. O(d^2).
    pub(crate) fn learn(&mut self, vector: &[f64], weight: f64) {
        let mut start = 0;
        for (row, value) in vector.iter().enumerate() {
            let scaled = value * weight;
            self.sum[row] += scaled;
            let products = &mut self.products[start..=start + row];
            for (product, other) in products.iter_mut().zip(vector) {
                *product += scaled * other;
            }
            start += row + 1;
        }
        self.weight += weight;
        if self.weight > 2.0 * self.memory {
            self.weight *= 0.5;
            self.sum
                .iter_mut()
                .chain(&mut self.products)
                .for_each(|sum| *sum *= 0.5);
        }
    }

    /// Mean and covariance.
    pub(crate) fn covariance(&self) -> (Vec<f64>, Array2<f64>) {
        let mean = Array1::from_iter(self.sum.iter().map(|sum| sum / self.weight));
        let mut covariance = Array2::zeros((self.dims, self.dims));
        let mut products = self.products.iter();
        for row in 0..self.dims {
            for column in 0..=row {
                let product = products.next().copied().unwrap_or_default();
                let value = product / self.weight - mean[row] * mean[column];
                covariance[[row, column]] = value;
                covariance[[column, row]] = value;
            }
        }
        (mean.to_vec(), covariance)
    }

    pub(crate) fn save(&self, writer: &mut Writer) {
        writer.f64(self.memory);
        writer.f64(self.weight);
        writer.floats(&self.sum);
        writer.floats(&self.products);
    }

    pub(crate) fn restore(reader: &mut Reader<'_>) -> Result<Self, DetectorError> {
        let (memory, weight, sum) = (reader.f64()?, reader.f64()?, reader.floats()?);
        let dims = sum.len();
        let products = reader.floats_of(dims * (dims + 1) / 2)?;
        Ok(Self {
            dims,
            memory,
            weight,
            sum,
            products,
        })
    }
}
