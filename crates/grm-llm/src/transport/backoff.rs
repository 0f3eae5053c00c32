//! How long to wait before asking again.

use std::time::{Duration, SystemTime};

use super::TransportConfig;

/// A pause drawn evenly from 0 to `base · 2^(failures−1)`, capped ("full jitter"); or, where the server named a
/// time, that time and up to a twentieth more, so that calls do not come back all at once.
pub(crate) fn pause(config: &TransportConfig, failures: u32, retry_after: Option<Duration>, draw: f64) -> Duration {
    if let Some(named) = retry_after {
        return named.min(config.retry_after_cap).mul_f64(1.0 + draw / 20.0);
    }
    let doublings = failures.saturating_sub(1).min(20);
    config.backoff_base.saturating_mul(1 << doublings).min(config.backoff_cap).mul_f64(draw)
}

/// Reads `Retry-After`: seconds or an HTTP date. A date that has passed means now.
pub(crate) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return (seconds >= 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The `count`-th number in [0, 1) of a seed's sequence (`SplitMix64`).
pub(crate) fn unit(seed: u64, count: u64) -> f64 {
    let mut z = seed.wrapping_add(count.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    f64::from(u32::try_from(z >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(value: &str) -> Option<Duration> {
        // 1994-11-15 08:12:31 GMT
        retry_after(value, SystemTime::UNIX_EPOCH + Duration::from_secs(784_887_151))
    }

    #[test]
    fn retry_after_in_seconds_and_as_a_date() {
        assert_eq!(named("2"), Some(Duration::from_secs(2)));
        assert_eq!(named(" 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(named("Tue, 15 Nov 1994 08:12:34 GMT"), Some(Duration::from_secs(3)));
        assert_eq!(named("Tue, 15 Nov 1994 08:12:00 GMT"), Some(Duration::ZERO));
        assert_eq!(named("1e300"), Some(Duration::MAX));
        for nonsense in ["", "soon", "-1", "NaN"] {
            assert_eq!(named(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn pauses_grow_up_to_the_cap_and_absurd_times_are_capped() {
        let config = TransportConfig::default();
        assert_eq!(pause(&config, 1, None, 0.0), Duration::ZERO);
        assert_eq!(pause(&config, 1, None, 1.0), Duration::from_millis(500));
        assert_eq!(pause(&config, 4, None, 1.0), Duration::from_secs(4));
        assert_eq!(pause(&config, 4_000_000, None, 1.0), Duration::from_secs(30));
        assert_eq!(pause(&config, 1, Some(Duration::from_secs(2)), 0.0), Duration::from_secs(2));
        assert_eq!(pause(&config, 1, Some(Duration::from_secs(86_400)), 1.0), Duration::from_secs(126));
        assert_eq!(pause(&config, 1, Some(Duration::MAX), 0.0), Duration::from_secs(120));
    }

    #[test]
    fn draws_are_seeded_and_spread() {
        let draws: Vec<f64> = (0..1000).map(|count| unit(7, count)).collect();
        assert_eq!(draws, (0..1000).map(|count| unit(7, count)).collect::<Vec<_>>());
        assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
        let mean = draws.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
        assert_ne!(unit(7, 0).to_bits(), unit(8, 0).to_bits());
    }
}
