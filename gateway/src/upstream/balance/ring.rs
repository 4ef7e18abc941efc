//! Consistent hashing: 160 points on a ring of 32-bit numbers for each name, made of CRC-32 as the reference makes them,
//! so that a key leads to the same endpoint there and here (annotations, appendix C).

/// Points for each name.
const POINTS: usize = 160;

/// Names on a ring, numbered in the order in which they were given.
pub struct Ring {
    /// Point and number of its name, by point.
    points: Box<[(u32, u32)]>,
    /// For each name, how much smaller the smallest share of the ring is than its own.
    evenness: Box<[f32]>,
}

impl Ring {
    /// A ring of these names.
    pub fn new(names: impl Iterator<Item = String>) -> Self {
        let mut points = Vec::with_capacity(names.size_hint().0.saturating_mul(POINTS));
        let mut count = 0;
        for name in names {
            points.extend(points_of(name.as_bytes()).map(|point| (point, count)));
            count += 1;
        }
        points.sort_unstable();
        let evenness = evenness(&points, count as usize);
        Self { points: points.into(), evenness }
    }

    /// The number of the name that a hash leads to: of the first point that is not below it, or of the smallest.
    pub fn find(&self, hash: u32) -> Option<usize> {
        let at = self.points.partition_point(|(point, _)| *point < hash);
        let (_, number) = self.points.get(at).or_else(|| self.points.first())?;
        Some(*number as usize)
    }

    /// The probability with which a random hash that leads to a name has to be taken for all names to be met as often.
    pub fn evenness(&self, number: usize) -> f32 {
        self.evenness.get(number).copied().unwrap_or(1.0)
    }
}

fn points_of(name: &[u8]) -> impl Iterator<Item = u32> {
    let base = Crc::default().update(name);
    let mut last: u32 = 0;
    std::iter::repeat_with(move || {
        last = base.update(&last.to_le_bytes()).finish();
        last
    })
    .take(POINTS)
}

fn evenness(points: &[(u32, u32)], count: usize) -> Box<[f32]> {
    let mut shares = vec![0_u64; count];
    // A point has what lies between it and the one before.
    let mut before = points.last().map_or(0, |(point, _)| *point);
    for (point, number) in points {
        shares[*number as usize] += u64::from(point.wrapping_sub(before));
        before = *point;
    }
    let smallest = shares.iter().copied().min().unwrap_or_default();
    shares.iter().map(|share| smallest as f32 / (*share).max(1) as f32).collect()
}

/// CRC-32 (that of zlib) of bytes that come in pieces.
#[derive(Clone, Copy)]
pub struct Crc(u32);

impl Default for Crc {
    fn default() -> Self {
        Self(u32::MAX)
    }
}

impl Crc {
    /// With these bytes behind the others.
    pub fn update(self, bytes: &[u8]) -> Self {
        let step = |crc: u32, byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
        Self(bytes.iter().fold(self.0, step))
    }

    /// The checksum.
    pub fn finish(self) -> u32 {
        !self.0
    }
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < table.len() {
        let mut value = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xEDB8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_zlib() {
        assert_eq!(Crc::default().update(b"123456789").finish(), 0xCBF4_3926);
        assert_eq!(Crc::default().update(b"1234").update(b"56789").finish(), 0xCBF4_3926);
        assert_eq!(Crc::default().finish(), 0);
    }
}
