//! Calendar periods in UTC: which window a day lies in, and when that window ends.
//!
//! The reading of `offset` lives here and nowhere else: it shifts the window's first day. A week with offset 0
//! starts on Sunday, with offset 1 on Monday; a month with offset 0 starts on the 1st, with offset 14 on the 15th.

/// A UTC day, counted from 1970-01-01. Sixteen bits reach the year 2149.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub u16);

/// How long a quota lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    Day,
    Week,
    Month,
}

impl Period {
    /// As usage plans spell it.
    pub fn name(self) -> &'static str {
        match self {
            Period::Day => "DAY",
            Period::Week => "WEEK",
            Period::Month => "MONTH",
        }
    }
}

/// The days a quota holds for: `start` is the first, `end` the first that no longer belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub start: Day,
    pub end: Day,
}

/// A calendar date in the Gregorian calendar, `month` and `day` counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: u32,
    pub month: u32,
    pub day: u32,
}

const DAYS_A_WEEK: u32 = 7;
/// 1970-01-01 was a Thursday; Sunday is 0.
const FIRST_WEEKDAY: u32 = 4;
const FIRST_YEAR: u32 = 1970;
/// Every month has a 28th, so every month has a window.
const MONTH_OFFSET_MAX: u32 = 27;

impl Day {
    pub const LENGTH_MS: i64 = 86_400_000;

    /// The day of a wall-clock time in milliseconds since the Unix epoch; times outside 1970–2149 give the nearest day.
    pub fn of_wall_ms(wall_ms: i64) -> Day {
        let day = wall_ms
            .div_euclid(Day::LENGTH_MS)
            .clamp(0, i64::from(u16::MAX));
        Day(u16::try_from(day).unwrap_or(u16::MAX))
    }

    /// Midnight UTC at the beginning of this day, in milliseconds since the Unix epoch.
    pub fn start_ms(self) -> i64 {
        i64::from(self.0) * Day::LENGTH_MS
    }

    /// The day `days` earlier, not before 1970-01-01.
    pub fn back(self, days: u16) -> Day {
        Day(self.0.saturating_sub(days))
    }

    fn from_u32(day: u32) -> Day {
        Day(u16::try_from(day).unwrap_or(u16::MAX))
    }
}

impl Window {
    pub fn contains(self, day: Day) -> bool {
        self.start <= day && day < self.end
    }

    pub fn overlaps(self, other: Window) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The last day that belongs to the window.
    pub fn last(self) -> Day {
        self.end.back(1).max(self.start)
    }
}

/// The window of `period` that `day` lies in. An offset beyond the period's range counts as the nearest allowed one.
pub fn window(period: Period, offset: u8, day: Day) -> Window {
    let (start, end) = match period {
        Period::Day => (u32::from(day.0), u32::from(day.0) + 1),
        Period::Week => week(u32::from(offset), u32::from(day.0)),
        Period::Month => month(u32::from(offset).min(MONTH_OFFSET_MAX), civil(day)),
    };
    Window {
        start: Day::from_u32(start),
        end: Day::from_u32(end),
    }
}

fn week(offset: u32, day: u32) -> (u32, u32) {
    let offset = offset.min(DAYS_A_WEEK - 1);
    let since_start = (day + FIRST_WEEKDAY + DAYS_A_WEEK - offset) % DAYS_A_WEEK;
    // The week that began in 1969 is cut at the epoch.
    (
        day.saturating_sub(since_start),
        day + DAYS_A_WEEK - since_start,
    )
}

fn month(offset: u32, date: Date) -> (u32, u32) {
    let here = (date.year, date.month);
    let (first, next) = if date.day > offset {
        (here, month_after(here))
    } else {
        (month_before(here), here)
    };
    let start = if first.0 < FIRST_YEAR {
        0
    } else {
        days_before(first.0, first.1) + offset
    };
    (start, days_before(next.0, next.1) + offset)
}

fn month_after((year, month): (u32, u32)) -> (u32, u32) {
    if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    }
}

fn month_before((year, month): (u32, u32)) -> (u32, u32) {
    if month == 1 {
        (year - 1, 12)
    } else {
        (year, month - 1)
    }
}

/// The calendar date of a day.
pub fn civil(day: Day) -> Date {
    let day = u32::from(day.0);
    let mut year = FIRST_YEAR + day / 366;
    while days_before(year + 1, 1) <= day {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_before(year, month + 1) <= day {
        month += 1;
    }
    Date {
        year,
        month,
        day: day - days_before(year, month) + 1,
    }
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: u32, month: u32) -> u32 {
    const BEFORE_MONTH: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let last = year - 1;
    let leap_days = last / 4 - last / 100 + last / 400 - LEAP_DAYS_BEFORE_1970;
    let leap_day_this_year = u32::from(month > 2 && is_leap(year));
    let index = (month as usize - 1).min(11);
    (year - FIRST_YEAR) * 365 + leap_days + BEFORE_MONTH[index] + leap_day_this_year
}

const LEAP_DAYS_BEFORE_1970: u32 = 1969 / 4 - 1969 / 100 + 1969 / 400;

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A second implementation: walks the calendar one day at a time.
    struct Walk {
        day: u32,
        date: Date,
        weekday: u32,
    }

    impl Walk {
        fn from_epoch() -> impl Iterator<Item = Walk> {
            let mut at = Walk {
                day: 0,
                date: Date {
                    year: 1970,
                    month: 1,
                    day: 1,
                },
                weekday: 4,
            };
            std::iter::from_fn(move || {
                let now = Walk { ..at };
                at.day += 1;
                at.weekday = (at.weekday + 1) % 7;
                at.date.day += 1;
                let year = at.date.year;
                let divides = |by: u32| year.is_multiple_of(by);
                let leap = divides(400) || (divides(4) && !divides(100));
                let length = match at.date.month {
                    2 if leap => 29,
                    2 => 28,
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                if at.date.day > length {
                    at.date.day = 1;
                    at.date.month += 1;
                }
                if at.date.month > 12 {
                    at.date.month = 1;
                    at.date.year += 1;
                }
                Some(now)
            })
        }
    }

    #[test]
    fn dates_agree_with_a_walk_through_the_calendar() {
        for walk in Walk::from_epoch().take(65_536) {
            assert_eq!(civil(Day(walk.day as u16)), walk.date, "day {}", walk.day);
        }
        assert_eq!(
            civil(Day(u16::MAX)),
            Date {
                year: 2149,
                month: 6,
                day: 6
            }
        );
    }

    #[test]
    fn months_start_on_their_offset_day() {
        for offset in [0, 1, 14, 27] {
            let mut start = None;
            for walk in Walk::from_epoch().take(65_000) {
                if walk.date.day == offset + 1 {
                    start = Some(walk.day);
                }
                let Some(start) = start else { continue };
                let window = window(Period::Month, offset as u8, Day(walk.day as u16));
                assert_eq!(
                    u32::from(window.start.0),
                    start,
                    "offset {offset} day {}",
                    walk.day
                );
                assert!(window.contains(Day(walk.day as u16)));
                assert_eq!(civil(window.end).day, offset + 1);
            }
        }
    }

    #[test]
    fn weeks_start_on_their_offset_weekday() {
        for offset in 0..7 {
            for walk in Walk::from_epoch().take(65_000).skip(7) {
                let window = window(Period::Week, offset as u8, Day(walk.day as u16));
                let into_week = walk.day - u32::from(window.start.0);
                assert!(into_week < 7);
                assert_eq!((walk.weekday + 7 - into_week) % 7, offset);
                assert_eq!(window.end.0 - window.start.0, 7);
            }
        }
    }

    #[test]
    fn days_are_cut_at_midnight_utc() {
        assert_eq!(Day::of_wall_ms(0), Day(0));
        assert_eq!(Day::of_wall_ms(Day::LENGTH_MS - 1), Day(0));
        assert_eq!(Day::of_wall_ms(Day::LENGTH_MS), Day(1));
        assert_eq!(Day(20_000).start_ms(), 1_728_000_000_000);
        let window = window(Period::Day, 0, Day(20_000));
        assert_eq!(
            window,
            Window {
                start: Day(20_000),
                end: Day(20_001)
            }
        );
        assert_eq!(window.last(), Day(20_000));
    }

    #[test]
    fn a_window_ends_before_the_day_it_is_said_to_end_on() {
        let days = |start, end| Window {
            start: Day(start),
            end: Day(end),
        };
        let week = days(10, 17);
        let inside = [9, 10, 16, 17].map(|day| week.contains(Day(day)));
        assert_eq!(inside, [false, true, true, false]);
        let others = [(3, 10), (3, 11), (12, 13), (16, 20), (17, 24)];
        let overlaps = others.map(|(start, end)| week.overlaps(days(start, end)));
        assert_eq!(overlaps, [false, true, true, true, false]);
    }

    #[test]
    fn an_offset_beyond_the_range_is_the_nearest_allowed_one() {
        for day in 20_000..20_040 {
            for (period, most) in [(Period::Week, 6), (Period::Month, 27)] {
                let nearest = window(period, most, Day(day));
                for offset in [most + 1, 255] {
                    assert_eq!(window(period, offset, Day(day)), nearest);
                }
            }
        }
    }

    #[test]
    fn times_outside_the_range_give_the_nearest_day() {
        assert_eq!(Day::of_wall_ms(-1), Day(0));
        assert_eq!(Day::of_wall_ms(i64::MIN), Day(0));
        assert_eq!(Day::of_wall_ms(i64::MAX), Day(u16::MAX));
        for period in [Period::Day, Period::Week, Period::Month] {
            for offset in [0, 3, 27, 255] {
                for day in [Day(0), Day(1), Day(30), Day(u16::MAX)] {
                    let window = window(period, offset, day);
                    assert!(window.start <= day && window.start <= window.end);
                }
            }
        }
    }
}
