//! Volume under the precision-recall surface (Paparrizos et al., "Volume Under the Surface", VLDB 2022).
//!
//! A labelled stretch is widened on both sides by half a buffer whose labels fall off as
//! `sqrt(1 - distance / buffer)`, so that a score a little early or late counts in part. Recall is multiplied
//! by the share of stretches that were touched at all. The volume is the mean of the areas over buffers from
//! 0 to the longest.

use super::events::runs;

/// Thresholds along a curve, as in the reference implementation.
const THRESHOLDS: usize = 250;
/// Buffers the volume is averaged over; the area changes slowly with the buffer.
const BUFFERS: usize = 9;

/// The volume for buffers from 0 to `buffer_max` rows. NaN scores rank lowest. NaN where there are no rows or no
/// labels. O(n log n).
///
/// # Panics
/// Where scores and labels differ in length.
#[must_use]
pub fn vus_pr(scores: &[f64], labels: &[bool], buffer_max: usize) -> f64 {
    let order = descending(scores);
    let sum: f64 = (0..BUFFERS)
        .map(|step| area(scores, labels, &order, buffer_max * step / (BUFFERS - 1)))
        .sum();
    sum / BUFFERS as f64
}

/// The area for one buffer, in rows.
///
/// # Panics
/// Where scores and labels differ in length.
#[must_use]
pub fn range_auc_pr(scores: &[f64], labels: &[bool], buffer: usize) -> f64 {
    area(scores, labels, &descending(scores), buffer)
}

fn rank(score: f64) -> f64 {
    if score.is_nan() { f64::NEG_INFINITY } else { score }
}

fn descending(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| rank(scores[*b]).total_cmp(&rank(scores[*a])));
    order
}

fn area(scores: &[f64], labels: &[bool], order: &[usize], buffer: usize) -> f64 {
    assert_eq!(scores.len(), labels.len(), "a label for each score");
    let (soft, stretch, stretches) = widened(labels, buffer);
    let rows = labels.len();
    let positives = labels.iter().filter(|label| **label).count() as f64;
    if positives == 0.0 {
        return f64::NAN;
    }
    let mut touched = vec![false; stretches];
    let (mut taken, mut hits, mut in_buffer, mut existing) = (0usize, 0.0, 0.0, 0.0);
    let (mut area, mut last_recall) = (0.0, 0.0);
    for step in 0..THRESHOLDS {
        let threshold = rank(scores[order[(rows - 1) * step / (THRESHOLDS - 1)]]);
        while taken < rows && rank(scores[order[taken]]) >= threshold {
            let row = order[taken];
            hits += soft[row];
            if let Some(stretch) = stretch[row] {
                if !touched[stretch] {
                    touched[stretch] = true;
                    existing += 1.0;
                }
                if !labels[row] {
                    in_buffer += soft[row];
                }
            }
            taken += 1;
        }
        let recall = (hits / (positives + 0.5 * in_buffer)).min(1.0) * existing / stretches as f64;
        area += (recall - last_recall) * hits / taken as f64;
        last_recall = recall;
    }
    area
}

/// Soft labels, the widened stretch of each row, and how many widened stretches there are.
fn widened(labels: &[bool], buffer: usize) -> (Vec<f64>, Vec<Option<usize>>, usize) {
    let mut soft: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
    for (start, end) in runs(labels) {
        for distance in 1..=buffer / 2 {
            let share = (1.0 - distance as f64 / buffer as f64).sqrt();
            let mut add = |row: usize| soft[row] = (soft[row] + share).min(1.0);
            if start >= distance {
                add(start - distance);
            }
            if end - 1 + distance < labels.len() {
                add(end - 1 + distance);
            }
        }
    }
    let widened: Vec<bool> = soft.iter().map(|soft| *soft > 0.0).collect();
    let mut stretch = vec![None; labels.len()];
    let stretches = runs(&widened);
    for (index, (start, end)) in stretches.iter().enumerate() {
        stretch[*start..*end].fill(Some(index));
    }
    (soft, stretch, stretches.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(rows: usize, stretches: &[(usize, usize)]) -> Vec<bool> {
        (0..rows)
            .map(|row| stretches.iter().any(|(start, end)| (*start..*end).contains(&row)))
            .collect()
    }

    #[test]
    fn perfect_scores_fill_the_volume_and_reversed_ones_do_not() {
        let labels = labels(1000, &[(300, 320), (700, 710)]);
        let perfect: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
        assert!(range_auc_pr(&perfect, &labels, 0) > 0.99);
        let reversed: Vec<f64> = perfect.iter().map(|score| -score).collect();
        assert!(vus_pr(&reversed, &labels, 20) < 0.1);
    }

    #[test]
    fn a_near_miss_counts_in_part_and_ties_are_taken_together() {
        let labels = labels(1000, &[(500, 510)]);
        let late: Vec<f64> = (0..1000)
            .map(|row| f64::from(u8::from((512..522).contains(&row))))
            .collect();
        let far: Vec<f64> = (0..1000)
            .map(|row| f64::from(u8::from((812..822).contains(&row))))
            .collect();
        assert!(vus_pr(&late, &labels, 40) > vus_pr(&far, &labels, 40) + 0.2);
        let flat = vec![1.0; 1000];
        assert!((range_auc_pr(&flat, &labels, 0) - 0.01).abs() < 1e-9);
        assert!(vus_pr(&vec![f64::NAN; 1000], &labels, 10).is_finite());
    }
}
