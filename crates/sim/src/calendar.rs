//! The oracle's own calendar: quota windows in UTC, written without a look at the product's.

use crate::config::{Period, Quota};

pub const DAY_MS: i64 = 86_400_000;

/// First day and the day after the last, in days since 1970-01-01.
pub type Window = (i64, i64);

pub fn day_of_ms(ms: i64) -> i64 {
    ms.div_euclid(DAY_MS)
}

/// The window of a quota that contains a day.
pub fn window(quota: &Quota, day: i64) -> Window {
    let offset = i64::from(quota.offset);
    match quota.period {
        Period::Day => (day, day + 1),
        // 1970-01-04 was a Sunday.
        Period::Week => {
            let start = day - (day - 3 - offset).rem_euclid(7);
            (start, start + 7)
        }
        Period::Month => {
            let (mut year, mut month) = month_of(day);
            if day < first_of(year, month) + offset {
                (year, month) = if month == 1 {
                    (year - 1, 12)
                } else {
                    (year, month - 1)
                };
            }
            let (next_year, next) = if month == 12 {
                (year + 1, 1)
            } else {
                (year, month + 1)
            };
            (
                first_of(year, month) + offset,
                first_of(next_year, next) + offset,
            )
        }
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of a month, counted one year and one month after the other.
pub fn first_of(year: i64, month: i64) -> i64 {
    let years: i64 = (1970..year)
        .map(|y| if is_leap(y) { 366 } else { 365 })
        .sum();
    years + (1..month).map(|m| days_in(year, m)).sum::<i64>()
}

fn month_of(day: i64) -> (i64, i64) {
    let (mut year, mut left) = (1970, day);
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if left < length {
            break;
        }
        left -= length;
        year += 1;
    }
    let mut month = 1;
    while left >= days_in(year, month) {
        left -= days_in(year, month);
        month += 1;
    }
    (year, month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_agree_with_the_products_calendar() {
        use tollgate_limiter::period;
        // From March 1970 on: neither calendar is made for what lies before its first day.
        for day in 62..60_000_i64 {
            for (mine, theirs, offsets) in [
                (Period::Day, period::Period::Day, 0..1_u8),
                (Period::Week, period::Period::Week, 0..7),
                (Period::Month, period::Period::Month, 0..28),
            ] {
                for offset in offsets.step_by(3) {
                    let quota = Quota {
                        limit: 1,
                        period: mine,
                        offset,
                    };
                    let own = window(&quota, day);
                    let real = period::window(theirs, offset, period::Day(day as u16));
                    assert_eq!(
                        own,
                        (i64::from(real.start.0), i64::from(real.end.0)),
                        "{mine:?} {offset} {day}"
                    );
                }
            }
        }
    }
}
