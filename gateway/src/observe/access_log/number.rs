//! Numbers in a log line, without the standard formatting machinery.

use std::time::Duration;

/// A decimal number.
pub(super) fn push_number(line: &mut Vec<u8>, number: u64) {
    push_padded(line, number, 1);
}

/// Seconds with three decimals, cut.
pub(super) fn push_seconds(line: &mut Vec<u8>, time: Duration) {
    push_number(line, time.as_secs());
    line.push(b'.');
    push_padded(line, time.subsec_millis().into(), 3);
}

/// A decimal number with leading zeros up to `width` digits.
pub(super) fn push_padded(line: &mut Vec<u8>, mut number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while number > 0 || digits.len() - start < width {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    line.extend_from_slice(&digits[start..]);
}
