//! The ledger: batches and what is read back of them, usage page by page, flushing.

use super::*;
use crate::{Alive, DayUsage, LastStamp, LedgerError, UsageListed, UsagePage};

#[test]
fn what_was_written_is_read_back_after_a_crash_and_after_a_restart() {
    let scratch = Scratch::new();
    let alive = Alive {
        until_wall_ms: 1_800_000_002_000,
        until_boot_ms: Some(55_000),
        boot_id: Some("b-1".into()),
        is_settled: false,
    };
    let batch = LedgerBatch {
        accounts: vec![account("p", "k2", 16), account("p", "k1", 8)],
        used: vec![used("p", "k1", 20_000, 3)],
    };
    let mut writer = scratch.store.ledger().writer().unwrap();
    assert_eq!(
        (accounts(&writer), writer.last_stamp()),
        (vec![], &LastStamp::None)
    );
    writer.write(&batch).unwrap();
    writer.say_alive(&alive).unwrap();
    let newer = LedgerBatch {
        accounts: vec![account("p", "k1", 9)],
        used: vec![UsedRow {
            remaining: None,
            written_off: 2,
            ..used("p", "k1", 20_000, 4)
        }],
    };
    writer.write(&newer).unwrap();
    let crashed = scratch.crashed();
    drop(writer);
    let scratch = scratch.reopened();
    for store in [scratch.store.clone(), open(crashed.path()).unwrap()] {
        let writer = store.ledger().writer().unwrap();
        assert_eq!(
            accounts(&writer),
            [account("p", "k1", 9), account("p", "k2", 16)]
        );
        assert_eq!(writer.account("p", "k2"), Ok(Some(account("p", "k2", 16))));
        assert_eq!(writer.account("p", "k3"), Ok(None));
        assert_eq!(writer.last_stamp(), &LastStamp::Alive(alive.clone()));
        let day = DayUsage {
            day: 20_000,
            used: 4,
            remaining: None,
            written_off: 2,
        };
        assert_eq!(
            writer.used_between("p", "k1", 20_000..20_001),
            Ok(vec![day])
        );
        assert_eq!(writer.used_between("p", "k1", 19_999..20_000), Ok(vec![]));
        assert_eq!(writer.used_between("p", "k2", 0..i32::MAX), Ok(vec![]));
    }
}

#[test]
fn there_is_one_writer_at_a_time() {
    let scratch = Scratch::new();
    let writer = scratch.store.ledger().writer().unwrap();
    assert_eq!(
        scratch.store.ledger().writer().err(),
        Some(LedgerError::WriterTaken)
    );
    drop(writer);
    assert!(scratch.store.ledger().writer().is_ok());
}

#[test]
fn readers_see_the_usage_of_a_plan_page_by_page() {
    let scratch = Scratch::new();
    let mut writer = scratch.store.ledger().writer().unwrap();
    let mut rows = vec![used("other", "k0", 20_001, 99), used("p", "k7", 19_000, 5)];
    rows.extend((0..5).flat_map(|n| {
        (20_000..20_003).map(move |day| {
            used(
                "p",
                &format!("k{n}"),
                day,
                u64::from(day.unsigned_abs()) - 19_999 + n,
            )
        })
    }));
    writer
        .write(&LedgerBatch {
            used: rows,
            ..LedgerBatch::default()
        })
        .unwrap();
    let usage = |key: Option<&str>, from, to, position: Option<&str>, limit| {
        let page = UsagePage {
            position: position.map(str::to_owned),
            limit,
        };
        scratch
            .store
            .ledger()
            .usage_blocking("p", key, from, to, &page)
            .unwrap()
    };
    let shown = |listed: &UsageListed| -> Vec<String> {
        let of_key = |key: &crate::KeyUsage| {
            let days: Vec<_> = key
                .days
                .iter()
                .map(|day| format!("{}:{}", day.day, day.used))
                .collect();
            format!("{} {}", key.key_id, days.join(" "))
        };
        listed.keys.iter().map(of_key).collect()
    };
    let first = usage(None, 20_001, 20_002, None, 2);
    assert_eq!(shown(&first), ["k0 20001:2 20002:3", "k1 20001:3 20002:4"]);
    assert_eq!(first.keys[0].days[0].remaining, Some(998));
    let second = usage(None, 20_001, 20_002, first.next.as_deref(), 2);
    assert_eq!(shown(&second), ["k2 20001:4 20002:5", "k3 20001:5 20002:6"]);
    let third = usage(None, 20_001, 20_002, second.next.as_deref(), 2);
    assert_eq!(
        (shown(&third), third.next),
        (vec!["k4 20001:6 20002:7".to_owned()], None)
    );
    assert_eq!(
        usage(None, 20_000, 20_000, None, 5).next,
        None,
        "k7 used nothing then"
    );
    assert_eq!(
        shown(&usage(Some("k7"), 0, i32::MAX, None, 1)),
        ["k7 19000:5"]
    );
    assert_eq!(
        usage(Some("k0"), 20_003, 20_004, None, 1),
        UsageListed::default()
    );
}

#[test]
fn flushing_waits_for_the_writer() {
    let scratch = Scratch::new();
    let ledger = scratch.store.ledger();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        assert_eq!(
            ledger.flush().await,
            Ok(()),
            "nobody writes, nothing is missing"
        );
        let mut writer = ledger.writer().unwrap();
        let mut requests = writer.flush_requests();
        let serve = async {
            let request = requests.next().await;
            assert!(requests.try_next().is_none(), "two askers are one request");
            writer.write(&raise(8)).unwrap();
            request.done();
        };
        assert_eq!(
            tokio::join!(ledger.flush(), ledger.flush(), serve),
            (Ok(()), Ok(()), ())
        );
        let refuse = async { drop(requests.next().await) };
        assert_eq!(
            tokio::join!(ledger.flush(), refuse).0,
            Err(LedgerError::NotFlushed)
        );
        let leave = async { drop(writer) };
        assert_eq!(
            tokio::join!(ledger.flush(), leave).0,
            Err(LedgerError::NotFlushed)
        );
        assert_eq!(ledger.flush().await, Ok(()));
        let page = UsagePage {
            position: None,
            limit: 1,
        };
        let nothing = ledger.usage("p", None, 0, 1, &page).await;
        assert_eq!(nothing, Ok(UsageListed::default()));
    });
}
