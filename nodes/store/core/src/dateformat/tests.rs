//! Tests of date formats: what they read and show, and that nothing panics.

use super::*;
use proptest::prelude::*;

fn ms(format: &str, text: &str) -> Option<i64> {
    DateFormat::new(format).unwrap().parse_ms(text).ok()
}

#[test]
fn the_default_format_reads_iso_and_epoch() {
    let format = DateFormat::default();
    assert_eq!(
        format.parse_ms("2024-01-31T10:00:00.123Z").unwrap(),
        1_706_695_200_123
    );
    assert_eq!(
        format
            .parse_ms("2024-01-31T10:00:00.123456789+01:00")
            .unwrap(),
        1_706_691_600_123
    );
    assert_eq!(format.parse_ms("2024-01-31").unwrap(), 1_706_659_200_000);
    assert_eq!(format.parse_ms("1706695200123").unwrap(), 1_706_695_200_123);
    assert_eq!(format.parse_ms("-5").unwrap(), -5);
    assert_eq!(format.parse_ms("2024").unwrap(), 1_704_067_200_000);
    for bad in [
        "2024-02-30",
        "2024-1-1",
        "2024-01-31 10:00:00",
        "",
        "x",
        "2024-01-31T25:00:00Z",
    ] {
        let error = format.parse_ms(bad).unwrap_err();
        assert_eq!(
            error.reason(),
            format!(
                "failed to parse date field [{bad}] with format [strict_date_optional_time||epoch_millis]"
            )
        );
    }
}

#[test]
fn absent_times_round_up_to_the_last_millisecond() {
    let format = DateFormat::default();
    let up = |text: &str| format.parse_in(text, &TimeZone::UTC, true).unwrap();
    assert_eq!(iso_utc(up("2024-01-05")), "2024-01-05T23:59:59.999Z");
    assert_eq!(iso_utc(up("2024-01")), "2024-01-01T23:59:59.999Z");
    assert_eq!(iso_utc(up("2024-01-05T10:11")), "2024-01-05T10:11:59.999Z");
    assert_eq!(
        iso_utc(up("2024-01-05T10:11:12.5Z")),
        "2024-01-05T10:11:12.500Z"
    );
}

#[test]
fn patterns_read_and_write() {
    assert_eq!(
        ms("dd/MMM/yyyy:HH:mm:ss Z", "31/Jan/2024:10:00:00 +0100"),
        Some(1_706_691_600_000)
    );
    assert_eq!(
        ms("yyyyMMddHHmmss", "20240131100000"),
        Some(1_706_695_200_000)
    );
    assert_eq!(
        ms("yyyy-MM-dd HH:mm:ss[.SSS]", "2024-01-31 10:00:00"),
        Some(1_706_695_200_000)
    );
    assert_eq!(
        ms("yyyy-MM-dd HH:mm:ss[.SSS]", "2024-01-31 10:00:00.5"),
        Some(1_706_695_200_500)
    );
    assert_eq!(ms("basic_date", "20240131"), Some(1_706_659_200_000));
    assert_eq!(ms("epoch_second", "1706695200.5"), Some(1_706_695_200_500));
    assert_eq!(
        ms("yyyy-MM-dd h:mm a", "2024-01-31 10:00 PM"),
        Some(1_706_738_400_000)
    );
    assert_eq!(
        ms(
            "yyyy-MM-dd'T'HH:mm:ssVV",
            "2024-01-31T10:00:00Europe/Berlin"
        ),
        Some(1_706_691_600_000)
    );
    let show = |format: &str| {
        DateFormat::new(format)
            .unwrap()
            .format_ms(1_706_695_200_123)
    };
    assert_eq!(show("yyyy-MM-dd"), "2024-01-31");
    assert_eq!(
        show("E, d MMM yyyy HH:mm:ss.SSS"),
        "Wed, 31 Jan 2024 10:00:00.123"
    );
    assert_eq!(show("epoch_millis"), "1706695200123");
    assert_eq!(show("epoch_second"), "1706695200.123");
    assert_eq!(show("strict_date_time"), "2024-01-31T10:00:00.123Z");
    assert_eq!(show("yyyy.DDD"), "2024.031");
    let berlin = civil::zone_by_name("Europe/Berlin").unwrap();
    let default = DateFormat::default();
    assert_eq!(
        default.format_in(1_706_695_200_123, &berlin),
        "2024-01-31T11:00:00.123+01:00"
    );
}

#[test]
fn unknown_names_and_letters_are_refused() {
    for bad in ["strict_nonsense", "foo bar", "yyyy-MM-dd'", "[[", ""] {
        assert!(DateFormat::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn dynamic_dates_need_a_day() {
    assert!(looks_like_date("2024-01-31").is_some());
    assert!(looks_like_date("2024-01-31T10:00:00Z").is_some());
    assert!(looks_like_date("2024/01/31 10:00:00").is_some());
    for not in [
        "2024",
        "2024-01",
        "20240131",
        "1706695200123",
        "2024-13-01",
        "10.0.0.1",
    ] {
        assert!(looks_like_date(not).is_none(), "{not}");
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_again(value in -60_000_000_000_000i64..250_000_000_000_000) {
        prop_assert_eq!(DateFormat::default().parse_ms(&iso_utc(value)).unwrap(), value);
        let pattern = DateFormat::new("yyyy-MM-dd HH:mm:ss.SSS XXX").unwrap();
        prop_assert_eq!(pattern.parse_ms(&pattern.format_ms(value)).unwrap(), value);
        let seconds = DateFormat::new("epoch_second").unwrap();
        if value >= 0 {
            prop_assert_eq!(seconds.parse_ms(&seconds.format_ms(value)).unwrap(), value);
        }
    }

    #[test]
    fn nothing_panics(format in ".{0,24}", text in ".{0,40}") {
        if let Ok(format) = DateFormat::new(&format) {
            let _ = format.parse_ms(&text);
            let _ = format.format_ms(1_706_695_200_123);
        }
        let _ = DateFormat::default().parse_in(&text, &TimeZone::UTC, true);
        let _ = looks_like_date(&text);
    }

    #[test]
    fn days_and_dates_are_inverse(days in -10_000_000i64..10_000_000) {
        let (year, month, day) = civil::civil_from_days(days);
        prop_assert_eq!(civil::days_from_civil(year, month, day), days);
    }
}
