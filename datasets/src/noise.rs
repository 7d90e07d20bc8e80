//! Randomness that can be asked for any instant: a hash of (key, index) instead of a stream.
//!
//! A generator with a stream would have to be run from its start to know the noise of a later instant; the fleet
//! promises random access in time, so every draw is a function of where it is drawn.

/// The names of a key's independent draws, so that no two uses share one by accident.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Draw {
    /// Of one scrape or minute: independent from the next.
    White = 1,
    /// Of a lattice point of slow noise; further octaves follow it.
    Lattice = 2,
    /// Whether and when something happens.
    Event = 64,
    /// A constant of the key.
    Constant = 65,
}

/// Mixes a key with an index into 64 independent bits (the finaliser of SplitMix64, Steele et al. 2014).
pub(crate) fn mix(key: u64, index: i64) -> u64 {
    let mut z = key
        ^ (index as u64)
            .wrapping_add(0x632b_e59b_d9b4_e019)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The key of one of a key's draws.
pub(crate) fn sub_key(key: u64, draw: Draw, octave: u32) -> u64 {
    mix(key, draw as i64 + i64::from(octave))
}

/// The key of a named thing.
pub(crate) fn key_of(seed: u64, name: &str) -> u64 {
    name.bytes()
        .fold(mix(seed, 0), |key, byte| mix(key, i64::from(byte)))
}

/// Uniform in [0, 1), 53 bits.
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// About normal with mean 0 and variance 1, within ±3.5: the sum of four 16-bit uniforms, rescaled.
pub(crate) fn gauss(bits: u64) -> f64 {
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    (sum as f64 / 65_536.0 - 2.0) * 1.732_050_807_568_877_2
}

/// Slow noise in [-1, 1]: random levels every `period_ms`, joined smoothly.
pub(crate) fn lattice(key: u64, at_ms: i64, period_ms: i64) -> f64 {
    let cell = at_ms.div_euclid(period_ms);
    let x = at_ms.rem_euclid(period_ms) as f64 / period_ms as f64;
    let (a, b) = (
        unit(mix(key, cell)) * 2.0 - 1.0,
        unit(mix(key, cell + 1)) * 2.0 - 1.0,
    );
    a + (b - a) * (x * x * (3.0 - 2.0 * x))
}

/// Autocorrelated noise in [-1, 1]: lattice noise of 4 minutes, 20 minutes, 100 minutes and 8 hours, the slow ones
/// weighing more, as load and latency of real services wander.
pub(crate) fn wander(key: u64, at_ms: i64) -> f64 {
    const OCTAVES: [(i64, f64); 4] = [
        (240_000, 0.2),
        (1_200_000, 0.25),
        (6_000_000, 0.3),
        (28_800_000, 0.25),
    ];
    (0u32..)
        .zip(OCTAVES)
        .map(|(octave, (period_ms, weight))| {
            lattice(sub_key(key, Draw::Lattice, octave), at_ms, period_ms) * weight
        })
        .sum()
}

/// A count of independent events of which `mean` are expected: binomial below 8, rounded normal above. Never
/// negative; never more than 16 where `mean` is below 8.
pub(crate) fn count(key: u64, index: i64, mean: f64) -> i64 {
    let bits = mix(sub_key(key, Draw::White, 0), index);
    if mean <= 0.0 {
        return 0;
    }
    if mean >= 8.0 {
        return ((mean + mean.sqrt() * gauss(bits)) + 0.5).max(0.0) as i64;
    }
    let threshold = (mean / 16.0 * 65_536.0) as u64;
    let rounds = (0..4).map(|round| if round == 0 { bits } else { mix(bits, round) });
    rounds
        .map(|b| {
            (0..4)
                .filter(|slice| (b >> (slice * 16) & 0xffff) < threshold)
                .count() as i64
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(draws: impl Iterator<Item = f64>) -> (f64, f64) {
        let all: Vec<f64> = draws.collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        (
            mean,
            all.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / all.len() as f64,
        )
    }

    #[test]
    fn gauss_is_centred_with_unit_variance() {
        let (mean, variance) = moments((0..20_000).map(|i| gauss(mix(7, i))));
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05,
            "{mean} {variance}"
        );
    }

    #[test]
    fn counts_have_the_asked_mean_and_spread() {
        for expected in [0.05, 0.5, 3.0, 7.9, 8.1, 400.0] {
            let (mean, variance) = moments((0..20_000).map(|i| count(11, i, expected) as f64));
            assert!((mean / expected - 1.0).abs() < 0.06, "{expected}: {mean}");
            assert!(
                variance / expected > 0.45 && variance / expected < 1.2,
                "{expected}: {variance}"
            );
        }
        assert_eq!(count(1, 1, 0.0), 0);
    }

    #[test]
    fn wander_moves_slowly_and_stays_inside() {
        let at = |minute: i64| wander(3, minute * 60_000);
        let steps = (0..5_000).map(|m| (at(m + 1) - at(m)).abs()).fold(0.0, f64::max);
        assert!(steps < 0.25, "{steps}");
        assert!((0..5_000).all(|m| at(m).abs() <= 1.0));
        let (_, variance) = moments((0..50_000).map(at));
        assert!(variance > 0.01, "{variance}");
    }
}
