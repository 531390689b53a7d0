//! Days of usage, pure: dates in and out, and what was left of a quota at the end of each day.

use jiff::civil::Date;
use tollgate_entity::{Extension, UsagePlan};
use tollgate_store::DayUsage;

use crate::error::Error;
use crate::extract::Query;

/// Days that one GetUsage shows at most.
pub const DAYS_MAX: i32 = 366;

/// The days asked for, both included, and how they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Days {
    pub first: i32,
    pub last: i32,
    pub start_date: String,
    pub end_date: String,
}

impl Days {
    pub fn of_query(query: &Query) -> Result<Self, Error> {
        let (first, start_date) = read("startDate", query)?;
        let (last, end_date) = read("endDate", query)?;
        if last < first {
            return Err(Error::bad_request(
                "Invalid date range specified, endDate must not be before startDate",
            ));
        }
        if last - first >= DAYS_MAX {
            return Err(Error::bad_request(format!(
                "Invalid date range specified, must be at most {DAYS_MAX} days"
            )));
        }
        Ok(Self {
            first,
            last,
            start_date,
            end_date,
        })
    }
}

fn read(name: &str, query: &Query) -> Result<(i32, String), Error> {
    let text = query.first(name).unwrap_or_default();
    let day = day(text).ok_or_else(|| {
        Error::bad_request(format!(
            "Invalid {name} specified, must be a date of the form YYYY-MM-DD"
        ))
    })?;
    Ok((day, text.to_owned()))
}

/// The day (since 1970-01-01) of a date written `YYYY-MM-DD`.
fn day(text: &str) -> Option<i32> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    let date: Date = if shaped {
        text.parse().ok()?
    } else {
        return None;
    };
    // Between days, not through a moment: the last day of the year 9999 has none in jiff.
    date.since(Date::constant(1970, 1, 1))
        .map(|span| span.get_days())
        .ok()
}

/// A day as AWS writes it.
pub fn date(day: i32) -> String {
    let midnight = jiff::Timestamp::from_second(i64::from(day) * SECONDS_A_DAY).unwrap_or_default();
    midnight.strftime("%Y-%m-%d").to_string()
}

const SECONDS_A_DAY: i64 = 86_400;

/// The first day whose usage decides what is left on `day`: that of its window.
pub fn lead_in(plan: &UsagePlan, day: i32) -> i32 {
    window_start(plan, day).unwrap_or(day).min(day)
}

/// The first day of the window that `day` lies in; none without a quota.
pub fn window_start(plan: &UsagePlan, day: i32) -> Option<i32> {
    Some(i32::from(plan.quota.as_ref()?.window_of(day)?.start.0))
}

/// What tells how much one key has left.
#[derive(Debug)]
pub struct Remaining<'a> {
    pub plan: &'a UsagePlan,
    pub extension: Option<Extension>,
    pub today: i32,
}

impl Remaining<'_> {
    /// `[used, remaining]` of every day from `first` to `last`; `days` reach back to the first one's window.
    pub fn pairs(&self, days: &[DayUsage], first: i32, last: i32) -> Vec<[u64; 2]> {
        (first..=last)
            .map(|day| [used(days, day), self.at_the_end_of(day, days)])
            .collect()
    }

    /// On past days what was left when the key was last used in that window; from today on what is left by the
    /// limits of now. Before its first use a window has its whole limit left.
    fn at_the_end_of(&self, day: i32, days: &[DayUsage]) -> u64 {
        let limit = self
            .plan
            .quota
            .as_ref()
            .and_then(|quota| quota.limit)
            .unwrap_or(0);
        let Some(start) = window_start(self.plan, day) else {
            return 0;
        };
        let mut of_window = days.iter().filter(|used| (start..=day).contains(&used.day));
        if day < self.today {
            let last_use = of_window.rev().find_map(|used| used.remaining);
            return last_use.unwrap_or(u64::try_from(limit).unwrap_or(0));
        }
        let delta = self
            .extension
            .as_ref()
            .filter(|extension| extension.window_start_day == start)
            .map_or(0, |e| e.delta);
        let limit = u64::try_from(i64::from(limit).saturating_add(delta)).unwrap_or(0);
        let spent = of_window.try_fold(0u64, |sum, used| {
            sum.checked_add(used.used)?.checked_add(used.written_off)
        });
        limit.saturating_sub(spent.unwrap_or(u64::MAX))
    }
}

fn used(days: &[DayUsage], day: i32) -> u64 {
    days.iter()
        .find(|used| used.day == day)
        .map_or(0, |used| used.used)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tollgate_entity::{QuotaPeriod, QuotaSettings};

    fn plan(limit: i32, period: QuotaPeriod, offset: i32) -> UsagePlan {
        let quota = QuotaSettings {
            limit: Some(limit),
            offset,
            period: Some(period),
        };
        UsagePlan {
            quota: Some(quota),
            ..UsagePlan::default()
        }
    }

    fn used_on(date: &str, used: u64, remaining: u64) -> DayUsage {
        DayUsage {
            day: day(date).unwrap(),
            used,
            remaining: Some(remaining),
            written_off: 0,
        }
    }

    fn pairs(
        plan: &UsagePlan,
        extension: Option<Extension>,
        days: &[DayUsage],
        first: &str,
        last: &str,
        today: &str,
    ) -> Vec<[u64; 2]> {
        let remaining = Remaining {
            plan,
            extension,
            today: day(today).unwrap(),
        };
        remaining.pairs(days, day(first).unwrap(), day(last).unwrap())
    }

    #[test]
    fn dates_are_read_strictly_and_written_back() {
        assert_eq!(day("1970-01-01"), Some(0));
        assert_eq!(day("2024-02-29").map(date), Some("2024-02-29".to_owned()));
        assert_eq!(day("9999-12-31"), Some(2_932_896));
        assert_eq!(day("0000-01-01"), Some(-719_528));
        for bad in [
            "",
            "2024-2-1",
            "2024-02-30",
            "20240201",
            "2024-02-01T00:00:00",
            "2024/02/01",
            "２024-2-1",
            "-024-02-01",
        ] {
            assert_eq!(day(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_refused_range_is_told_why() {
        let refusal = |query: &str| Days::of_query(&Query::parse(query).unwrap()).unwrap_err();
        assert_eq!(
            refusal("startDate=2024-01-01&endDate=9999-12-31").to_string(),
            "Invalid date range specified, must be at most 366 days"
        );
        assert_eq!(
            refusal("startDate=2024-01-01&endDate=2024-02-30").to_string(),
            "Invalid endDate specified, must be a date of the form YYYY-MM-DD"
        );
    }

    #[test]
    fn ranges_are_held_to_order_and_length() {
        let days = |query: &str| Days::of_query(&Query::parse(query).unwrap());
        assert!(days("startDate=2024-01-01&endDate=2024-12-31").is_ok());
        assert!(days("startDate=2024-01-01&endDate=2024-01-01").is_ok());
        for bad in [
            "startDate=2024-01-02&endDate=2024-01-01",
            "startDate=2024-01-01&endDate=2025-01-01",
            "startDate=2024-01-01",
            "endDate=2024-01-01",
            "startDate=x&endDate=2024-01-01",
        ] {
            assert!(matches!(days(bad), Err(Error::BadRequest(_))), "{bad}");
        }
    }

    #[test]
    fn a_month_counts_down_as_captured_from_aws() {
        let plan = plan(1_000_000, QuotaPeriod::Month, 0);
        let days = [
            used_on("2026-09-01", 137, 999_863),
            used_on("2026-09-03", 123, 999_740),
            used_on("2026-09-04", 84, 999_656),
        ];
        assert_eq!(
            pairs(&plan, None, &days, "2026-08-31", "2026-09-05", "2026-09-04"),
            [
                [0, 1_000_000],
                [137, 999_863],
                [0, 999_863],
                [123, 999_740],
                [84, 999_656],
                [0, 999_656]
            ]
        );
    }

    #[test]
    fn a_range_that_begins_within_a_window_knows_what_went_before() {
        let plan = plan(100, QuotaPeriod::Month, 0);
        let days = [used_on("2026-09-02", 40, 60)];
        assert_eq!(
            lead_in(&plan, day("2026-09-10").unwrap()),
            day("2026-09-01").unwrap()
        );
        assert_eq!(
            pairs(&plan, None, &days, "2026-09-10", "2026-09-10", "2026-09-20"),
            [[0, 60]]
        );
        assert_eq!(
            pairs(&plan, None, &days, "2026-09-20", "2026-10-01", "2026-09-20")[11],
            [0, 100]
        );
    }

    #[test]
    fn a_day_quota_is_whole_every_day() {
        let plan = plan(20, QuotaPeriod::Day, 0);
        let days = [used_on("2026-09-01", 20, 0), used_on("2026-09-02", 3, 17)];
        assert_eq!(
            pairs(&plan, None, &days, "2026-09-01", "2026-09-03", "2026-09-03"),
            [[20, 0], [3, 17], [0, 20]]
        );
    }

    #[test]
    fn a_lowered_rest_shows_from_today_on_as_in_the_guide() {
        let plan = plan(5000, QuotaPeriod::Month, 0);
        let extension = Extension {
            window_start_day: day("2026-09-01").unwrap(),
            delta: -4990,
            ..Extension::default()
        };
        let shown = pairs(
            &plan,
            Some(extension),
            &[],
            "2026-09-01",
            "2026-09-03",
            "2026-09-03",
        );
        assert_eq!(shown, [[0, 5000], [0, 5000], [0, 10]]);
    }

    #[test]
    fn an_extension_ends_with_its_window() {
        let plan = plan(20, QuotaPeriod::Day, 0);
        let extension = Extension {
            window_start_day: day("2026-09-01").unwrap(),
            delta: 80,
            ..Extension::default()
        };
        let days = [used_on("2026-09-01", 30, 70)];
        let on = |today| {
            pairs(
                &plan,
                Some(extension.clone()),
                &days,
                "2026-09-01",
                "2026-09-02",
                today,
            )
        };
        assert_eq!(on("2026-09-01"), [[30, 70], [0, 20]]);
        assert_eq!(on("2026-09-02"), [[30, 70], [0, 20]]);
    }

    #[test]
    fn what_a_crash_wrote_off_is_not_left() {
        let plan = plan(100, QuotaPeriod::Day, 0);
        let days = [DayUsage {
            written_off: 5,
            ..used_on("2026-09-01", 10, 85)
        }];
        assert_eq!(
            pairs(&plan, None, &days, "2026-09-01", "2026-09-01", "2026-09-01"),
            [[10, 85]]
        );
    }

    #[test]
    fn a_changed_limit_counts_at_once() {
        let days = [used_on("2026-09-01", 10, 10)];
        for (limit, left) in [(50, 40), (5, 0)] {
            let plan = plan(limit, QuotaPeriod::Day, 0);
            assert_eq!(
                pairs(&plan, None, &days, "2026-09-01", "2026-09-01", "2026-09-01"),
                [[10, left]]
            );
        }
    }

    #[test]
    fn without_a_quota_nothing_remains_to_be_told() {
        let days = [DayUsage {
            remaining: None,
            ..used_on("2026-09-01", 7, 0)
        }];
        assert_eq!(
            pairs(
                &UsagePlan::default(),
                None,
                &days,
                "2026-09-01",
                "2026-09-02",
                "2026-09-01"
            ),
            [[7, 0], [0, 0]]
        );
    }
}
