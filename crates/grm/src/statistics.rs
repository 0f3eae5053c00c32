//! Shares with intervals, and whether two judges of the same pairs differ by more than chance.

/// Wilson's 95 % interval of a share; `None` without trials.
pub(crate) fn wilson(right: u64, trials: u64) -> Option<(f64, f64)> {
    if trials == 0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of pairs")]
    let (n, share) = (trials as f64, right as f64 / trials as f64);
    let z = 1.959_963_984_540_054;
    let middle = share + z * z / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    Some((((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0)))
}

/// The exact form of `McNemar`'s test, two-sided (Psychometrika 12, 1947): of the pairs that only one of two judges gets
/// right, how likely is a split at least this uneven if each were a coin's toss?
///
/// `p = min(1, 2 · P(X ≤ min(b, c)))` with `X ~ Binomial(b + c, ½)`; 1 when the judges never differ.
pub(crate) fn mcnemar_exact(only_first: u64, only_second: u64) -> f64 {
    let (tosses, fewer) = (only_first + only_second, only_first.min(only_second));
    if only_first == only_second {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of pairs")]
    let ratio = |k: u64| k as f64 / (tosses - k + 1) as f64;
    // ln C(n, k) / 2^n at k = fewer; the terms below it are products of ratios, so nothing underflows on the way.
    let largest = -(1..=fewer).map(|k| ratio(k).ln()).sum::<f64>() - to_float(tosses) * std::f64::consts::LN_2;
    let mut term = 1.0;
    let mut sum = 1.0;
    for k in (1..=fewer).rev() {
        term *= ratio(k);
        sum += term;
    }
    (2.0 * largest.exp() * sum).min(1.0)
}

/// `part / whole`; `None` of nothing.
pub(crate) fn fraction(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| to_float(part) / to_float(whole))
}

#[expect(clippy::cast_precision_loss, reason = "counts of pairs")]
fn to_float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_matches_known_values() {
        let (low, high) = wilson(7, 12).unwrap();
        assert!((low - 0.3195).abs() < 5e-4 && (high - 0.8067).abs() < 5e-4, "{low} {high}");
        assert_eq!(wilson(0, 0), None);
        assert_eq!(wilson(0, 5).unwrap().0, 0.0);
    }

    /// Sums of binomial coefficients worked out by hand.
    #[test]
    fn mcnemar_matches_values_worked_out_by_hand() {
        let check = |b, c, expected: f64| {
            let p = mcnemar_exact(b, c);
            assert!((p - expected).abs() <= 1e-12 * expected, "{b} and {c}: {p}, not {expected}");
            assert_eq!(p.to_bits(), mcnemar_exact(c, b).to_bits(), "the order of the judges does not matter");
        };
        check(0, 0, 1.0);
        check(3, 3, 1.0);
        check(0, 1, 1.0);
        check(0, 5, 2.0 / 32.0);
        check(1, 9, 2.0 * 11.0 / 1024.0);
        check(2, 8, 2.0 * 56.0 / 1024.0);
        check(4, 5, 1.0);
        check(3, 7, 2.0 * 176.0 / 1024.0);
    }

    #[test]
    fn many_pairs_neither_underflow_nor_leave_the_range() {
        // 2^-4999 is no double; the exact value of an almost even split is near 1.
        assert!((0.9..=1.0).contains(&mcnemar_exact(2499, 2501)));
        assert_eq!(mcnemar_exact(0, 5000), 0.0);
        // 60 : 40 of a hundred, from the tables of the binomial distribution.
        assert!((mcnemar_exact(40, 60) - 0.056_887_933_640_98).abs() < 1e-12, "{}", mcnemar_exact(40, 60));
        let ps: Vec<f64> = (0..=50).map(|b| mcnemar_exact(b, 100 - b)).collect();
        assert!(ps.windows(2).all(|pair| pair[0] <= pair[1]), "more even is less surprising");
    }
}
