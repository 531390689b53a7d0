//! What the writer's loop sees: when rows come, what they say, who is woken.

#![allow(clippy::unwrap_used)]

mod rig;

use rig::{Rig, TODAY, TOMORROW, daily};
use tollgate_limiter::reserve::{
    AccountRow, BATCH_ROWS, Batch, Extension, Failure, IDLE_MS, Load, Now, RETRY_MS, Terms,
};
use tollgate_limiter::{Day, Period, Refused, Slot, Start};

#[test]
fn a_first_request_waits_for_its_row_and_is_woken() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    assert_eq!(rig.admit(slot), Err(Refused::Unreserved));
    rig.reserve.need(slot);
    let batch = rig.draft();
    let row = AccountRow {
        slot,
        window_start: TODAY,
        window_end: TOMORROW,
        reserved: 8,
    };
    assert_eq!(batch.accounts, [row]);
    assert_eq!(rig.admit(slot), Err(Refused::Unreserved), "not durable yet");
    assert_eq!(rig.reserve.drain_wake(), []);
    assert_eq!(
        rig.reserve.next_batch(&rig.counters, rig.now),
        Batch::default(),
        "one at a time"
    );
    rig.reserve.committed(&rig.counters);
    assert_eq!(rig.reserve.drain_wake(), [slot]);
    assert_eq!(rig.admit(slot).unwrap().quota_left.unwrap().units, 999);
}

#[test]
fn used_rows_follow_within_a_second_and_at_once_when_flushed() {
    let (mut rig, slot) = Rig::new(None);
    rig.requests(slot, 3);
    assert_eq!(rig.round().used.len(), 1);
    rig.requests(slot, 2);
    assert!(rig.round().is_empty(), "not yet");
    assert_eq!(rig.reserve.due_in_ms(rig.now), Some(1_000));
    rig.now.at_ms += 1_000;
    assert_eq!(rig.reserve.due_in_ms(rig.now), Some(0));
    rig.round();
    assert_eq!(rig.row(slot, TODAY), (5, None, 0));
    rig.requests(slot, 1);
    rig.reserve.flush();
    assert!(rig.reserve.is_flushing());
    rig.round();
    assert!(!rig.reserve.is_flushing());
    assert_eq!(rig.row(slot, TODAY), (6, None, 0));
    assert!(
        rig.accounts.is_empty(),
        "a plan without a quota has no account"
    );
}

#[test]
fn a_flush_waits_for_counters_that_have_to_be_loaded_first() {
    let (mut rig, slot) = Rig::new(None);
    rig.requests(slot, 3);
    rig.reserve.flush();
    assert!(rig.reserve.is_flushing());
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (3, None, 0));
}

#[test]
fn midnight_opens_a_new_window_and_stragglers_count_on_their_own_day() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    assert_eq!(rig.requests(slot, 3), 3);
    let straggler = rig.admit_one(slot);
    rig.now.day = TOMORROW;
    assert_eq!(rig.requests(slot, 20), 10);
    rig.note(slot, straggler);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (4, Some(6), 0));
    assert_eq!(rig.row(slot, TOMORROW), (10, Some(0), 0));
    let row = rig.accounts[&slot];
    assert_eq!((row.window_start, row.reserved), (TOMORROW, 10));
}

#[test]
fn a_closed_window_stays_closed_when_the_clock_goes_back() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    rig.now.day = TOMORROW;
    assert_eq!(rig.requests(slot, 10), 10);
    rig.flush();
    rig.now.day = TODAY;
    assert_eq!(rig.requests(slot, 5), 0);
    rig.restart(TOMORROW);
    assert_eq!(rig.requests(slot, 5), 0);
}

#[test]
fn an_extension_is_for_its_window_and_keeps_what_was_used() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    assert_eq!(rig.requests(slot, 20), 10);
    assert_eq!(rig.admit(slot), Err(Refused::Exhausted));
    let extended = |delta| {
        let extension = Some(Extension {
            window_start: TODAY,
            delta,
        });
        Some(Terms {
            extension,
            ..daily(10)
        })
    };
    rig.change(slot, extended(5));
    assert_eq!(rig.requests(slot, 3), 3);
    rig.change(slot, extended(-9));
    assert_eq!(rig.admit(slot), Err(Refused::Exhausted));
    rig.change(slot, extended(4));
    assert_eq!(rig.requests(slot, 3), 1);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (14, Some(0), 0));
    rig.now.day = TOMORROW;
    assert_eq!(rig.requests(slot, 20), 10);
}

#[test]
fn a_lowered_limit_holds_while_a_raise_is_being_written() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    rig.reserve.need(slot);
    let batch = rig.draft();
    rig.write(&batch);
    rig.terms.insert(slot, daily(3));
    rig.reserve.terms(&rig.counters, slot, Some(daily(3)));
    rig.reserve.committed(&rig.counters);
    assert_eq!(rig.requests(slot, 20), 3);
    rig.round();
    assert_eq!(
        rig.accounts[&slot].reserved, 3,
        "and then the disk is lowered too"
    );
}

#[test]
fn a_new_period_starts_from_the_days_it_covers() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    assert_eq!(rig.requests(slot, 4), 4);
    rig.now.day = TOMORROW;
    assert_eq!(rig.requests(slot, 5), 5);
    rig.change(
        slot,
        Some(Terms {
            period: Period::Month,
            ..daily(12)
        }),
    );
    assert_eq!(rig.requests(slot, 20), 3);
    rig.flush();
    let quota = rig
        .reserve
        .report(&rig.counters, slot)
        .unwrap()
        .quota
        .unwrap();
    assert_eq!((quota.used, quota.remaining, quota.limit), (12, 0, 12));
    rig.change(slot, Some(daily(9)));
    assert_eq!(rig.requests(slot, 20), 1, "eight of them were today");
}

#[test]
fn what_was_metered_before_counts_when_a_quota_comes() {
    let (mut rig, slot) = Rig::new(None);
    assert_eq!(rig.requests(slot, 7), 7);
    rig.round();
    rig.change(slot, Some(daily(10)));
    assert_eq!(rig.requests(slot, 20), 3);
    rig.change(slot, None);
    assert_eq!(rig.requests(slot, 20), 20);
    rig.change(slot, Some(daily(31)));
    assert_eq!(rig.requests(slot, 20), 1);
}

#[test]
fn an_idle_counter_gives_back_its_units_and_is_forgotten() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    rig.requests(slot, 1);
    rig.flush();
    assert_eq!((rig.accounts[&slot].reserved, rig.reserve.active()), (8, 1));
    rig.now.at_ms += IDLE_MS - 1;
    rig.round();
    assert_eq!(
        rig.accounts[&slot].reserved, 8,
        "not yet idle for long enough"
    );
    rig.now.at_ms += 1;
    rig.round();
    assert_eq!((rig.accounts[&slot].reserved, rig.reserve.active()), (1, 0));
    assert_eq!(rig.requests(slot, 2_000), 999);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (1_000, Some(0), 0));
}

#[test]
fn a_forgotten_counter_that_was_exhausted_learns_of_a_higher_limit() {
    let (mut rig, slot) = Rig::new(Some(daily(5)));
    rig.requests(slot, 5);
    rig.flush();
    rig.now.at_ms += IDLE_MS;
    rig.round();
    assert_eq!(
        (rig.reserve.active(), rig.admit(slot)),
        (0, Err(Refused::Exhausted))
    );
    rig.change(slot, Some(daily(7)));
    assert_eq!(rig.requests(slot, 10), 2);
}

#[test]
fn a_crash_writes_off_what_nobody_knows_and_only_once() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    assert_eq!(rig.requests(slot, 3), 3);
    rig.flush();
    rig.requests(slot, 2);
    for _ in 0..3 {
        rig.restart(TODAY);
        // Unasked, as at a start after a crash, so that reports show it at once.
        let load = Load {
            slot,
            from_day: Day(0),
        };
        let past = rig.past(load);
        rig.reserve.recover(&rig.counters, rig.now, load, &past);
        rig.round();
        assert_eq!(rig.row(slot, TODAY), (3, Some(992), 5));
    }
    assert_eq!(rig.requests(slot, 2_000), 992);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (995, Some(0), 5));
}

#[test]
fn a_clean_stop_writes_off_nothing() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    rig.requests(slot, 3);
    rig.reserve.close();
    while let Some(ms) = rig.reserve.due_in_ms(rig.now) {
        rig.now.at_ms += ms;
        rig.round();
    }
    assert_eq!(rig.now.at_ms, 0, "it waits for nothing");
    assert_eq!(rig.accounts[&slot].reserved, 3);
    rig.restart(TODAY);
    assert_eq!(rig.requests(slot, 2_000), 997);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (1_000, Some(0), 0));
}

#[test]
fn a_full_disk_is_tried_again_and_nothing_is_published_meanwhile() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    rig.reserve.need(slot);
    assert!(!rig.draft().is_empty());
    rig.reserve.failed(rig.now, Failure::Full);
    assert_eq!(rig.admit(slot), Err(Refused::Unreserved));
    assert!(rig.round().is_empty());
    assert_eq!(rig.reserve.due_in_ms(rig.now), Some(RETRY_MS));
    rig.now.at_ms += RETRY_MS;
    rig.round();
    assert_eq!(rig.reserve.drain_wake(), [slot]);
    assert_eq!(rig.requests(slot, 20), 10);
}

#[test]
fn a_raise_that_failed_and_is_on_disk_all_the_same_is_given_back() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    assert_eq!(rig.requests(slot, 8), 8, "one chunk");
    rig.reserve.need(slot);
    let raise = rig.draft();
    rig.write(&raise);
    rig.reserve.failed(rig.now, Failure::Full);
    assert_eq!(rig.accounts[&slot].reserved, 16);
    rig.reserve.close();
    while let Some(ms) = rig.reserve.due_in_ms(rig.now) {
        rig.now.at_ms += ms;
        rig.round();
    }
    assert_eq!(rig.accounts[&slot].reserved, 8);
    rig.restart(TODAY);
    assert_eq!(rig.requests(slot, 2_000), 992);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (1_000, Some(0), 0));
}

#[test]
fn after_an_io_error_published_units_are_spent_and_nothing_more() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    assert_eq!(rig.requests(slot, 4), 4);
    rig.reserve.need(slot);
    assert!(!rig.draft().is_empty());
    rig.reserve.failed(rig.now, Failure::Poison);
    assert!(rig.reserve.is_poisoned());
    assert_eq!(rig.reserve.drain_wake(), [slot]);
    assert_eq!(rig.requests(slot, 20), 4, "what was durable");
    assert_eq!(
        rig.admit(slot),
        Err(Refused::Unreserved),
        "not the quota's refusal"
    );
    rig.now.at_ms += 60_000;
    assert!(rig.round().is_empty());
    assert_eq!(rig.reserve.due_in_ms(rig.now), None);
}

#[test]
fn a_store_that_cannot_be_read_ends_all_raising() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    rig.reserve.need(slot);
    assert_eq!(rig.reserve.loads(rig.now).len(), 1);
    rig.reserve.failed(rig.now, Failure::Poison);
    assert!(rig.reserve.is_poisoned());
    assert_eq!(rig.reserve.drain_wake(), [slot]);
    assert!(rig.round().is_empty());
    assert_eq!(rig.admit(slot), Err(Refused::Unreserved));
}

#[test]
fn a_released_slot_is_written_down_and_handed_back() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    rig.requests(slot, 3);
    rig.reserve.release(slot);
    rig.flush();
    assert_eq!(rig.reserve.drain_released(), [slot]);
    assert_eq!((rig.accounts[&slot].reserved, rig.reserve.active()), (3, 0));
    rig.counters.recycle(slot);
    assert_eq!(rig.counters.allocate(Start::Full), Some(slot));
    assert_eq!(
        rig.requests(slot, 2_000),
        997,
        "the window goes on where it was"
    );
}

#[test]
fn many_counters_are_written_in_bounded_batches() {
    const SLOTS: usize = 10_000;
    let (mut rig, first) = Rig::new(None);
    let slots: Vec<Slot> = (1..SLOTS)
        .filter_map(|_| rig.counters.allocate(Start::Full))
        .collect();
    for slot in slots.iter().copied().chain([first]) {
        rig.requests(slot, 1);
    }
    rig.reserve.flush();
    while rig.reserve.is_flushing() {
        assert!(rig.round().rows() <= BATCH_ROWS);
    }
    assert_eq!(rig.used.len(), SLOTS);
}

#[test]
fn a_request_between_its_unit_and_its_count_is_not_forgotten_by_a_new_period() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    assert_eq!(rig.requests(slot, 3), 3);
    let half_way = rig.admit_one(slot);
    let monthly = Terms {
        period: Period::Month,
        ..daily(10)
    };
    rig.change(slot, Some(monthly));
    assert_eq!(rig.requests(slot, 20), 6);
    rig.note(slot, half_way);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (10, Some(0), 0));
}

#[test]
fn a_request_between_its_unit_and_its_count_is_not_written_off_by_idleness() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    rig.requests(slot, 3);
    let half_way = rig.admit_one(slot);
    rig.flush();
    rig.now.at_ms += IDLE_MS;
    rig.round();
    rig.note(slot, half_way);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (4, Some(996), 0));
}

#[test]
fn a_new_period_publishes_nothing_of_the_old_one_that_was_being_written() {
    let (mut rig, slot) = Rig::new(Some(daily(1_000)));
    rig.reserve.need(slot);
    let batch = rig.draft();
    rig.write(&batch);
    let monthly = Terms {
        period: Period::Month,
        ..daily(3)
    };
    rig.terms.insert(slot, monthly);
    rig.reserve.terms(&rig.counters, slot, Some(monthly));
    rig.reserve.committed(&rig.counters);
    assert_eq!(rig.admit(slot), Err(Refused::Unreserved));
    assert_eq!(rig.requests(slot, 20), 3);
}

/// Lost on the 4th, clock set back to the 3rd, and the month's quota becomes a day's: whatever was lost still counts on
/// the 4th.
#[test]
fn what_a_crash_took_counts_on_its_day_even_if_the_clock_went_back() {
    // A row shows the day, or else the last process's stamp does.
    for (noted, last_day) in [(true, Day(0)), (false, TODAY)] {
        let monthly = Terms {
            period: Period::Month,
            ..daily(10)
        };
        let (mut rig, slot) = Rig::new(Some(monthly));
        for _ in 0..5 {
            let admitted = rig.admit_one(slot);
            if noted {
                rig.note(slot, admitted);
            }
        }
        rig.restart(last_day);
        rig.terms.insert(slot, daily(10));
        rig.now.day = TODAY.back(1);
        let passed_before = rig.requests(slot, 20);
        rig.now.day = TODAY;
        assert_eq!(passed_before + rig.requests(slot, 20), 5);
    }
}

#[test]
fn a_release_outlasts_a_full_disk() {
    let (mut rig, slot) = Rig::new(None);
    rig.requests(slot, 3);
    rig.round();
    rig.requests(slot, 2);
    rig.reserve.release(slot);
    rig.reserve.flush();
    assert_eq!(rig.draft().used.len(), 1);
    assert_eq!(rig.reserve.drain_released(), []);
    rig.reserve.failed(rig.now, Failure::Full);
    rig.now.at_ms += RETRY_MS;
    rig.round();
    rig.round();
    assert_eq!(rig.reserve.drain_released(), [slot]);
    assert_eq!(rig.row(slot, TODAY), (5, None, 0));
}

#[test]
fn a_full_disk_at_midnight_loses_no_count() {
    let (mut rig, slot) = Rig::new(Some(daily(10)));
    assert_eq!(rig.requests(slot, 4), 4);
    rig.reserve.flush();
    assert!(!rig.draft().is_empty());
    rig.reserve.failed(rig.now, Failure::Full);
    rig.now = Now {
        day: TOMORROW,
        at_ms: rig.now.at_ms + RETRY_MS,
    };
    assert_eq!(rig.requests(slot, 20), 10);
    rig.flush();
    assert_eq!(rig.row(slot, TODAY), (4, Some(6), 0));
    assert_eq!(rig.row(slot, TOMORROW), (10, Some(0), 0));
}
