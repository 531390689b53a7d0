//! How a counter changes its terms and how it ends, with a row under way at the wrong moment.

#![allow(clippy::unwrap_used)]

mod rig;

use rig::{Rig, TODAY, TOMORROW, daily};
use tollgate_limiter::reserve::{AccountRow, Failure, Load, Past, RETRY_MS, Terms};
use tollgate_limiter::{Day, Period, Refused, Slot, Start};

fn monthly(limit: u64) -> Terms {
    Terms {
        period: Period::Month,
        ..daily(limit)
    }
}

/// New terms arrive; no round yet.
fn tell(rig: &mut Rig, slot: Slot, terms: Terms) {
    rig.terms.insert(slot, terms);
    rig.reserve.terms(&rig.counters, slot, Some(terms));
}

fn close(rig: &mut Rig) {
    rig.reserve.close();
    while let Some(ms) = rig.reserve.due_in_ms(rig.now) {
        rig.now.at_ms += ms;
        rig.round();
    }
}

#[test]
fn a_changed_limit_holds_at_once_and_leaves_units_where_they_are() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    assert_eq!(rig.requests(slot, 3), 3);
    tell(&mut rig, slot, daily(500));
    assert_eq!(rig.reserve.loads(rig.now), [], "the store knows no more");
    assert!(rig.admit(slot).is_ok(), "five of eight units are there");
    tell(&mut rig, slot, daily(4));
    assert_eq!(rig.admit(slot), Err(Refused::Exhausted));
}

#[test]
fn a_changed_period_takes_units_back_at_once() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    assert_eq!(rig.requests(slot, 3), 3);
    tell(&mut rig, slot, monthly(1_000));
    assert_eq!(rig.admit(slot), Err(Refused::Unreserved));
}

#[test]
fn a_plan_that_lost_its_quota_tells_of_nothing_remaining() {
    let (mut rig, slot) = Rig::new(Some(monthly(1_000)));
    assert_eq!(rig.requests(slot, 3), 3);
    rig.change(slot, None);
    assert_eq!(rig.accounts[&slot].reserved, 3);
    rig.now.day = TOMORROW;
    assert_eq!(rig.requests(slot, 1), 1);
    rig.flush();
    assert_eq!(rig.row(slot, TOMORROW), (1, None, 0));
}

#[test]
fn rows_that_are_written_while_the_past_is_read_survive_a_full_disk() {
    let (mut rig, slot) = Rig::new(None);
    let days = [0, 1, 2, 3, 4].map(|n| Day(TODAY.0 + n));
    for day in days {
        rig.now.day = day;
        rig.requests(slot, 1);
        rig.reserve.flush();
        assert!(!rig.draft().is_empty());
        if day != days[4] {
            rig.reserve.failed(rig.now, Failure::Full);
            rig.now.at_ms += RETRY_MS;
        }
    }
    tell(&mut rig, slot, monthly(100));
    rig.load();
    rig.reserve.failed(rig.now, Failure::Full);
    rig.now.at_ms += RETRY_MS;
    rig.flush();
    assert_eq!(days.map(|day| rig.row(slot, day).0), [1; 5]);
}

#[test]
fn a_clean_stop_after_midnight_writes_off_nothing_of_yesterday() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    assert_eq!(rig.requests(slot, 3), 3);
    rig.flush();
    rig.now.day = TOMORROW;
    close(&mut rig);
    rig.restart(TOMORROW);
    let load = Load {
        slot,
        from_day: Day(0),
    };
    let past = rig.past(load);
    rig.reserve.recover(&rig.counters, rig.now, load, &past);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (3, Some(997), 0));
}

#[test]
fn units_that_are_raised_while_their_counter_is_released_are_given_back() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    rig.reserve.need(slot);
    let raise = rig.draft();
    assert_eq!(raise.accounts[0].reserved, 8);
    rig.reserve.release(slot);
    rig.write(&raise);
    rig.reserve.committed(&rig.counters);
    assert_eq!(rig.reserve.drain_released(), []);
    rig.round();
    assert_eq!(rig.accounts[&slot].reserved, 0);
    assert_eq!(rig.reserve.drain_released(), [slot]);
}

#[test]
fn a_counter_is_not_handed_back_while_its_past_is_read() {
    let (mut rig, slot) = Rig::new(None);
    rig.requests(slot, 1);
    rig.now.day = TOMORROW;
    rig.reserve.flush();
    let rows = rig.draft();
    assert!(!rows.used.is_empty());
    tell(&mut rig, slot, daily(10));
    rig.reserve.release(slot);
    rig.write(&rows);
    rig.reserve.committed(&rig.counters);
    assert_eq!(rig.reserve.drain_released(), []);
    rig.flush();
    assert_eq!(rig.reserve.drain_released(), [slot]);
    assert_eq!(rig.reserve.active(), 0);
}

#[test]
fn a_count_that_is_told_while_the_last_rows_are_written_is_written_too() {
    let (mut rig, slot) = Rig::new(None);
    rig.requests(slot, 2);
    let late = rig.admit_one(slot);
    rig.reserve.release(slot);
    rig.reserve.flush();
    let rows = rig.draft();
    rig.note(slot, late);
    rig.write(&rows);
    rig.reserve.committed(&rig.counters);
    assert_eq!(rig.reserve.drain_released(), []);
    rig.flush();
    assert_eq!(rig.reserve.drain_released(), [slot]);
    assert_eq!(rig.row(slot, TODAY), (3, None, 0));
}

/// Not all days of a window that began before the rows that were read are known.
#[test]
fn only_a_window_whose_days_are_all_known_is_written_off() {
    for (start, written_off) in [(TODAY, 8), (TODAY.back(1), 0)] {
        let (mut rig, slot) = Rig::new(Some(daily(1_000)));
        let load = Load {
            slot,
            from_day: TODAY,
        };
        let account = AccountRow {
            slot,
            window_start: start,
            window_end: TOMORROW,
            reserved: 8,
        };
        let past = Past {
            terms: Some(daily(1_000)),
            account: Some(account),
            used: Vec::new(),
        };
        rig.reserve.recover(&rig.counters, rig.now, load, &past);
        rig.flush();
        let sum: u64 = rig.used.values().map(|row| row.written_off).sum();
        assert_eq!(sum, written_off, "a window from {start:?} on");
    }
}

#[test]
fn a_reserve_that_failed_or_closes_takes_up_no_counter_anew() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    rig.reserve.close();
    rig.reserve.need(slot);
    assert_eq!(
        (rig.reserve.active(), rig.reserve.due_in_ms(rig.now)),
        (0, None)
    );

    let (mut rig, slot) = Rig::new(Some(daily(10)));
    rig.reserve.failed(rig.now, Failure::Poison);
    rig.reserve.need(slot);
    assert_eq!(rig.reserve.active(), 0);
}

#[test]
fn a_counter_that_is_told_of_again_and_again_takes_no_place_of_others() {
    let (mut rig, eager) = Rig::new(None);
    let other = rig.counters.allocate(Start::Full).unwrap();
    for slot in [eager, other] {
        rig.requests(slot, 1);
    }
    rig.flush();
    for _ in 0..2 * tollgate_limiter::reserve::USED_AT_ONCE {
        rig.reserve.dirty(eager);
    }
    rig.requests(other, 1);
    rig.now.at_ms += 1_000;
    rig.round();
    assert_eq!(rig.row(other, TODAY), (2, None, 0));
}
