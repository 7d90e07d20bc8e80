//! Which periods a history has, and what its phases look like.
//!
//! Candidates come from the calendar (a day, a week) and from peaks of the autocorrelation of the winsorised
//! history. A peak alone proves little: a slow random walk has them too. Each candidate must therefore
//! predict: every bin is predicted from the *other* cycles' bins of its phase, and the mean absolute error
//! must fall against the local level by a margin that is larger the fewer cycles were seen. A second, longer
//! season must do the same on what the first one leaves.

use crate::dot::dot;
use crate::robust::{median, median_and_sigma};

const DAY_MS: i64 = 86_400_000;
const WEEK_MS: i64 = 7 * DAY_MS;
/// Where values are clipped, in robust sigmas.
const CLIP: f64 = 4.0;
/// Bins of a season at most.
const PHASES_MAX: usize = 512;

/// One season that was found: its offsets by phase in the unit of the series, phase 0 at the epoch.
#[derive(Debug, Clone)]
pub(crate) struct Season {
    pub(crate) period_ms: i64,
    pub(crate) offset: Vec<f64>,
    /// Cycles seen in each phase.
    pub(crate) cycles: Vec<f64>,
    /// Scatter around the offset relative to the whole history's.
    pub(crate) spread: Vec<f64>,
}

/// What a history teaches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lesson {
    /// The shorter season first.
    pub(crate) seasons: Vec<Season>,
    /// The history without its seasons, bin by bin; NaN where missing.
    pub(crate) remainder: Vec<f64>,
    /// How much smaller the scatter around the local level became, at most 1.
    pub(crate) shrink: f64,
}

/// The means of the bins of a history: bin `i` begins at `(first + i) * bin_ms`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bins<'a> {
    pub(crate) first: i64,
    pub(crate) bin_ms: i64,
    pub(crate) means: &'a [f64],
}

impl Bins<'_> {
    fn phase(&self, index: usize, period_ms: i64, phases: usize) -> usize {
        let start = self
            .first
            .saturating_add(index as i64)
            .saturating_mul(self.bin_ms);
        let into = start.saturating_add(self.bin_ms / 2).rem_euclid(period_ms);
        ((into as f64 / period_ms as f64 * phases as f64) as usize).min(phases - 1)
    }

    fn cycles(&self, period_ms: i64) -> f64 {
        self.means.len() as f64 * self.bin_ms as f64 / period_ms as f64
    }
}

/// Finds up to two periods and their profiles. O(n^2 / 2) for n bins.
pub(crate) fn learn(bins: Bins<'_>) -> Lesson {
    let Some(mut rest) = winsorised(bins.means) else {
        return Lesson::default();
    };
    let mut periods = Vec::new();
    let plain = rest.clone();
    if let Some(period_ms) = first_period(bins, &rest) {
        periods.push(period_ms);
        if let Some(season) = fit_season(bins, &rest, period_ms) {
            subtract(bins, &mut rest, &season);
            if WEEK_MS > period_ms && passes(bins, &rest, WEEK_MS, true) {
                periods.push(WEEK_MS);
            }
        }
    }
    if periods.is_empty() {
        return Lesson {
            seasons: Vec::new(),
            remainder: plain,
            shrink: 1.0,
        };
    }
    profiles(bins, &periods)
}

/// The profiles of periods that are given.
pub(crate) fn profiles(bins: Bins<'_>, periods: &[i64]) -> Lesson {
    let Some(mut rest) = winsorised(bins.means) else {
        return Lesson::default();
    };
    let before = scatter(bins, &rest, periods[0]);
    let mut seasons = Vec::new();
    for period_ms in periods {
        // A cycle and a half is the least that tells a season from a drift.
        if bins.cycles(*period_ms) < 1.5 {
            break;
        }
        let Some(season) = fit_season(bins, &rest, *period_ms) else {
            break;
        };
        subtract(bins, &mut rest, &season);
        seasons.push(season);
    }
    if let Some(first) = seasons.first_mut() {
        first.spread = spread_by_phase(bins, &rest, first);
    }
    let after = scatter(bins, &rest, periods[0]);
    let shrink = if before > 0.0 && after < before {
        after / before
    } else {
        1.0
    };
    Lesson {
        seasons,
        remainder: rest,
        shrink,
    }
}

/// Values clipped to four robust sigmas around their median; none where too little is there or nothing moves.
fn winsorised(means: &[f64]) -> Option<Vec<f64>> {
    let mut finite: Vec<f64> = means.iter().copied().filter(|mean| mean.is_finite()).collect();
    if finite.len() < 16 || finite.len() * 3 < means.len() {
        return None;
    }
    let (center, mut sigma) = median_and_sigma(&mut finite);
    if sigma == 0.0 {
        // Mostly constant with excursions: their mean size is the scale.
        sigma = 4.0 * finite.iter().sum::<f64>() / finite.len() as f64;
    }
    if !(sigma > 0.0 && sigma.is_finite()) {
        return None;
    }
    let clip = |mean: &f64| {
        if mean.is_finite() {
            mean.clamp(center - CLIP * sigma, center + CLIP * sigma)
        } else {
            f64::NAN
        }
    };
    Some(means.iter().map(clip).collect())
}

fn first_period(bins: Bins<'_>, values: &[f64]) -> Option<i64> {
    let learned = autocorrelation_period(bins, values);
    let near = |ms: i64, calendar: i64| (ms - calendar).abs() * 30 < calendar;
    let mut candidates = Vec::new();
    if let Some(ms) = learned {
        candidates.push(if near(ms, DAY_MS) {
            DAY_MS
        } else if near(ms, WEEK_MS) {
            WEEK_MS
        } else {
            ms
        });
    }
    for calendar in [DAY_MS, WEEK_MS] {
        if calendar >= 4 * bins.bin_ms && !candidates.contains(&calendar) {
            candidates.push(calendar);
        }
    }
    candidates
        .into_iter()
        .find(|period_ms| passes(bins, values, *period_ms, false))
}

/// The shortest period whose autocorrelation peak is nearly as high as the highest.
fn autocorrelation_period(bins: Bins<'_>, values: &[f64]) -> Option<i64> {
    let n = values.len();
    let lag_max = n * 2 / 5;
    if lag_max < 8 {
        return None;
    }
    let known = values.iter().filter(|value| value.is_finite()).count() as f64;
    let mean = values.iter().filter(|value| value.is_finite()).sum::<f64>() / known;
    let centred: Vec<f64> = values
        .iter()
        .map(|value| if value.is_finite() { value - mean } else { 0.0 })
        .collect();
    let power = centred.iter().map(|value| value * value).sum::<f64>();
    if power <= 0.0 {
        return None;
    }
    let at = |lag: usize| -> f64 {
        dot(&centred[lag..], &centred[..n - lag]) / power * n as f64 / (n - lag) as f64
    };
    let acf: Vec<f64> = (0..=lag_max).map(at).collect();
    let mut valley = 1.0f64;
    let mut peaks: Vec<(usize, f64)> = Vec::new();
    for lag in 2..lag_max {
        valley = valley.min(acf[lag - 1]);
        let height = acf[lag];
        let is_peak = height >= acf[lag - 1] && height > acf[lag + 1];
        if is_peak && lag >= 4 && height > 0.15 && height - valley > 0.15 && height > 4.0 / known.sqrt() {
            peaks.push((lag, height));
        }
    }
    let highest = peaks.iter().map(|peak| peak.1).fold(0.0, f64::max);
    let (lag, _) = peaks.iter().copied().find(|peak| peak.1 >= 0.85 * highest)?;
    Some((refined(&acf, lag) * bins.bin_ms as f64).round() as i64)
}

/// The lag of a peak to a fraction of a bin, by following it through its multiples.
fn refined(acf: &[f64], lag: usize) -> f64 {
    let mut period = lag as f64;
    let reach = (lag / 8).max(1);
    for multiple in 1..=16 {
        let centre = (period * f64::from(multiple)).round() as usize;
        if centre <= reach || centre + reach + 1 >= acf.len() {
            break;
        }
        let Some(best) = (centre - reach..=centre + reach).max_by(|a, b| acf[*a].total_cmp(&acf[*b])) else {
            break;
        };
        let (left, mid, right) = (acf[best - 1], acf[best], acf[best + 1]);
        if mid < left || mid < right || mid < 0.5 * acf[lag] {
            break;
        }
        let bend = left - 2.0 * mid + right;
        let shift = if bend < 0.0 {
            (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
        } else {
            0.0
        };
        period = (best as f64 + shift) / f64::from(multiple);
    }
    period
}

fn phases_of(bins: Bins<'_>, period_ms: i64) -> usize {
    let phases = (period_ms as f64 / bins.bin_ms as f64).round() as usize;
    let cap = if period_ms == WEEK_MS {
        168
    } else if period_ms == DAY_MS {
        288
    } else {
        PHASES_MAX
    };
    phases.clamp(2, cap)
}

/// Whether a season predicts: the leave-one-cycle-out error against that of the local level.
fn passes(bins: Bins<'_>, values: &[f64], period_ms: i64, refines: bool) -> bool {
    let cycles = bins.cycles(period_ms);
    if cycles < 2.0 {
        return false;
    }
    let level = local_level(bins, values, period_ms);
    let phases = phases_of(bins, period_ms);
    let (mut sums, mut counts) = (vec![0.0; phases], vec![0.0; phases]);
    // A phase may hold several bins of a cycle: they are left out together.
    let per_cycle = (period_ms as f64 / bins.bin_ms as f64 / phases as f64).max(1.0);
    for (index, value) in values.iter().enumerate() {
        if value.is_finite() {
            let phase = bins.phase(index, period_ms, phases);
            sums[phase] += value - level[index];
            counts[phase] += 1.0;
        }
    }
    let (mut with, mut without, mut judged) = (0.0, 0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let phase = bins.phase(index, period_ms, phases);
        if value.is_finite() && counts[phase] >= 1.5 * per_cycle {
            let departure = value - level[index];
            let others = (counts[phase] - per_cycle).max(0.5);
            let predicted = (sums[phase] - departure * per_cycle.min(counts[phase])) / others;
            with += (departure - predicted).abs();
            without += departure.abs();
            judged += 1.0;
        }
    }
    if judged < 0.5 * values.len() as f64 || without <= 0.0 {
        return false;
    }
    let needed = if cycles < 3.0 {
        0.25
    } else if cycles < 5.0 {
        0.12
    } else {
        0.05
    };
    let needed = if refines { 0.6 * needed } else { needed };
    1.0 - with / without > needed
}

/// A centred moving mean over one period; at the ends that of the nearest whole period.
fn local_level(bins: Bins<'_>, values: &[f64], period_ms: i64) -> Vec<f64> {
    let n = values.len();
    let width = ((period_ms as f64 / bins.bin_ms as f64).round() as usize).clamp(1, n);
    let (mut sum, mut count) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    for (index, value) in values.iter().enumerate() {
        let known = value.is_finite();
        sum[index + 1] = sum[index] + if known { *value } else { 0.0 };
        count[index + 1] = count[index] + if known { 1.0 } else { 0.0 };
    }
    let whole = sum[n] / count[n];
    (0..n)
        .map(|index| {
            let from = index.saturating_sub(width / 2).min(n - width);
            let seen = count[from + width] - count[from];
            if seen > 0.0 {
                (sum[from + width] - sum[from]) / seen
            } else {
                whole
            }
        })
        .collect()
}

fn scatter(bins: Bins<'_>, values: &[f64], period_ms: i64) -> f64 {
    let level = local_level(bins, values, period_ms);
    let mut residuals: Vec<f64> = values
        .iter()
        .zip(&level)
        .map(|(value, level)| value - level)
        .filter(|r| r.is_finite())
        .collect();
    median_and_sigma(&mut residuals).1
}

/// Offsets by phase: the median over the cycles, smoothed over the neighbours while cycles are few.
fn fit_season(bins: Bins<'_>, values: &[f64], period_ms: i64) -> Option<Season> {
    let level = local_level(bins, values, period_ms);
    let phases = phases_of(bins, period_ms);
    let mut members: Vec<Vec<f64>> = vec![Vec::new(); phases];
    for (index, value) in values.iter().enumerate() {
        if value.is_finite() {
            members[bins.phase(index, period_ms, phases)].push(value - level[index]);
        }
    }
    let per_cycle = (period_ms as f64 / bins.bin_ms as f64 / phases as f64).max(1.0);
    let cycles: Vec<f64> = members
        .iter()
        .map(|members| members.len() as f64 / per_cycle)
        .collect();
    let mut offset: Vec<f64> = members.iter_mut().map(|members| median(members)).collect();
    let known: Vec<f64> = offset
        .iter()
        .copied()
        .filter(|offset| offset.is_finite())
        .collect();
    if known.len() * 2 < phases {
        return None;
    }
    for index in 0..phases {
        if !offset[index].is_finite() {
            offset[index] = if index > 0 { offset[index - 1] } else { known[0] };
        }
    }
    if bins.cycles(period_ms) < 5.0 && phases >= 48 {
        let raw = offset.clone();
        for index in 0..phases {
            let (left, right) = (raw[(index + phases - 1) % phases], raw[(index + 1) % phases]);
            offset[index] = 0.25 * left + 0.5 * raw[index] + 0.25 * right;
        }
    }
    let spread = vec![1.0; phases];
    Some(Season {
        period_ms,
        offset,
        cycles,
        spread,
    })
}

/// How much wider or narrower the remainder scatters at each phase, pooled over a twenty-fourth of the period.
fn spread_by_phase(bins: Bins<'_>, rest: &[f64], season: &Season) -> Vec<f64> {
    let level = local_level(bins, rest, season.period_ms);
    let phases = season.offset.len();
    let mut sizes: Vec<Vec<f64>> = vec![Vec::new(); phases];
    let mut all = Vec::new();
    for (index, value) in rest.iter().enumerate().filter(|(_, value)| value.is_finite()) {
        let size = (value - level[index]).abs();
        sizes[bins.phase(index, season.period_ms, phases)].push(size);
        all.push(size);
    }
    let whole = median(&mut all);
    let reach = phases / 48;
    (0..phases)
        .map(|phase| {
            let near = (0..=2 * reach).flat_map(|step| &sizes[(phase + phases + step - reach) % phases]);
            let mut pooled: Vec<f64> = near.copied().collect();
            let share = median(&mut pooled) / whole;
            // Few values make a poor median.
            let trust = pooled.len() as f64 / (pooled.len() as f64 + 8.0);
            if share.is_finite() && share > 0.0 {
                share.powf(trust).clamp(0.2, 8.0)
            } else {
                1.0
            }
        })
        .collect()
}

fn subtract(bins: Bins<'_>, values: &mut [f64], season: &Season) {
    for (index, value) in values.iter_mut().enumerate() {
        *value -= season.offset[bins.phase(index, season.period_ms, season.offset.len())];
    }
}
