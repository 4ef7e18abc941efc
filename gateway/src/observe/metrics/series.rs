//! The numbers of one series of request metrics, as one worker counts them.

use std::{
    sync::{
        Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    MetricsSettings,
    label::{Entry, Labels},
};

/// A counter that one thread writes and any thread reads. Adding is a plain load and store.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    #[inline]
    pub(super) fn add(&self, amount: u64) {
        self.0.store(self.value().wrapping_add(amount), Relaxed);
    }

    #[inline]
    pub(super) fn subtract(&self, amount: u64) {
        self.0.store(self.value().wrapping_sub(amount), Relaxed);
    }

    #[inline]
    pub(super) fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The histograms of a series, in the order in which they lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Histogram {
    RequestDuration,
    ResponseDuration,
    ConnectDuration,
    HeaderDuration,
    RequestSize,
    ResponseSize,
    BytesSent,
}

impl Histogram {
    pub(super) const COUNT: usize = 7;
}

/// Where each histogram lies in a series, and its bounds.
#[derive(Debug)]
pub(super) struct Layout {
    histograms: [Bounds; Histogram::COUNT],
    cells: usize,
}

#[derive(Debug)]
struct Bounds {
    /// Index of the first bucket. Behind the buckets lie the bucket without bound and the sum.
    start: usize,
    /// Largest value of each bucket, in nanoseconds or bytes.
    upper: Box<[u64]>,
}

impl Layout {
    pub(super) fn new(settings: &MetricsSettings) -> Self {
        let nanoseconds =
            |bounds: &[f64]| bounds.iter().map(|bound| (bound * 1e9).round() as u64).collect();
        let bytes = |bounds: &[f64]| bounds.iter().map(|bound| bound.floor() as u64).collect();
        let mut cells = 0;
        let mut place = |upper: Box<[u64]>| {
            let start = cells;
            cells += upper.len() + 2;
            Bounds { start, upper }
        };
        let histograms = [
            place(nanoseconds(&settings.time_buckets)),
            place(nanoseconds(&settings.time_buckets)),
            place(nanoseconds(&settings.time_buckets)),
            place(nanoseconds(&settings.time_buckets)),
            place(bytes(&settings.length_buckets)),
            place(bytes(&settings.length_buckets)),
            place(bytes(&settings.size_buckets)),
        ];
        Self { histograms, cells }
    }
}

/// What a series is found by: the ids of its labels, see [`SeriesKey::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SeriesKey(u128);

impl SeriesKey {
    /// Packs the ids; zero stands for a label that is absent or empty.
    #[inline]
    pub(super) fn new(location: u32, host: u32, canary: u32, method: u8, status: u16) -> Self {
        Self(
            u128::from(location) << 88
                | u128::from(host) << 56
                | u128::from(canary) << 24
                | u128::from(method) << 16
                | u128::from(status),
        )
    }

    pub(super) fn method(self) -> u8 {
        (self.0 >> 16) as u8
    }

    pub(super) fn status(self) -> u16 {
        self.0 as u16
    }
}

/// One series of one worker.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) key: SeriesKey,
    pub(super) location: Weak<Entry<Labels>>,
    pub(super) host: Option<Weak<Entry<Box<str>>>>,
    pub(super) canary: Option<Weak<Entry<Box<str>>>>,
    pub(super) cells: Box<[Counter]>,
}

impl Series {
    /// Empty cells for a new series.
    pub(super) fn cells(layout: &Layout) -> Box<[Counter]> {
        (0..layout.cells).map(|_| Counter::default()).collect()
    }

    /// Whether all its labels are still in use.
    pub(super) fn is_live(&self) -> bool {
        let live = |name: &Option<Weak<Entry<Box<str>>>>| {
            name.as_ref().is_none_or(|name| name.strong_count() > 0)
        };
        self.location.strong_count() > 0 && live(&self.host) && live(&self.canary)
    }

    #[inline]
    pub(super) fn observe_time(&self, layout: &Layout, histogram: Histogram, value: Duration) {
        let nanoseconds = u64::try_from(value.as_nanos()).unwrap_or(u64::MAX);
        self.observe(layout, histogram, nanoseconds);
    }

    #[inline]
    pub(super) fn observe(&self, layout: &Layout, histogram: Histogram, value: u64) {
        let Bounds { start, upper } = &layout.histograms[histogram as usize];
        let bucket = upper.iter().position(|bound| value <= *bound);
        let bucket = bucket.unwrap_or(upper.len());
        self.cells[start + bucket].add(1);
        self.cells[start + upper.len() + 1].add(value);
    }
}

/// The sum of one histogram over the workers' series.
#[derive(Debug)]
pub(super) struct Total {
    /// Observations per bucket, not cumulative; the last has no bound.
    pub(super) buckets: Vec<u64>,
    /// Sum of the values in nanoseconds or bytes.
    pub(super) sum: u64,
}

impl Total {
    pub(super) fn of<'a>(
        layout: &Layout,
        histogram: Histogram,
        series: impl IntoIterator<Item = &'a Series>,
    ) -> Self {
        let Bounds { start, upper } = &layout.histograms[histogram as usize];
        let mut total = Self { buckets: vec![0; upper.len() + 1], sum: 0 };
        for series in series {
            let cells = &series.cells[*start..];
            for (bucket, cell) in total.buckets.iter_mut().zip(cells) {
                *bucket += cell.value();
            }
            total.sum = total.sum.wrapping_add(cells[upper.len() + 1].value());
        }
        total
    }

    /// How many values were observed.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(layout: &Layout) -> Series {
        Series {
            key: SeriesKey::new(1, 0, 0, 0, 200),
            location: Weak::new(),
            host: None,
            canary: None,
            cells: Series::cells(layout),
        }
    }

    #[test]
    fn a_value_equal_to_a_bound_falls_into_its_bucket() {
        let layout = Layout::new(&MetricsSettings::default());
        let series = series(&layout);
        for milliseconds in [0, 5, 6, 10_000, 10_001] {
            let value = Duration::from_millis(milliseconds);
            series.observe_time(&layout, Histogram::RequestDuration, value);
        }
        let total = Total::of(&layout, Histogram::RequestDuration, [&series]);
        assert_eq!(total.buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(total.count(), 5);
        assert_eq!(total.sum, 20_012 * 1_000_000);
    }

    #[test]
    fn histograms_of_a_series_do_not_touch_each_other() {
        let layout = Layout::new(&MetricsSettings::default());
        let series = series(&layout);
        series.observe(&layout, Histogram::ResponseSize, 1_000);
        series.observe(&layout, Histogram::BytesSent, 10);
        let total = |histogram| Total::of(&layout, histogram, [&series]);
        assert_eq!(total(Histogram::ResponseSize).buckets[10], 1);
        assert_eq!(total(Histogram::BytesSent).buckets[0], 1);
        assert_eq!(total(Histogram::BytesSent).sum, 10);
        assert_eq!(total(Histogram::RequestSize).count(), 0);
        assert_eq!(total(Histogram::HeaderDuration).count(), 0);
    }

    #[test]
    fn the_key_keeps_every_part_apart() {
        let key = SeriesKey::new(u32::MAX, 0, u32::MAX, 7, 599);
        assert_eq!((key.method(), key.status()), (7, 599));
        assert_ne!(key, SeriesKey::new(u32::MAX, 1, u32::MAX, 7, 599));
        assert_ne!(key, SeriesKey::new(u32::MAX - 1, 0, u32::MAX, 7, 599));
        assert_ne!(key, SeriesKey::new(u32::MAX, 0, u32::MAX - 1, 7, 599));
    }
}
