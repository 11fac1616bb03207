//! Days and the hours of exchanges.

use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use zoo_core::{Error, Result};

/// A calendar day, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

const EPOCH: Date = date(1970, 1, 1);
const SECONDS: i64 = 86_400;

impl Day {
    /// Reads `YYYY-MM-DD`.
    ///
    /// # Errors
    /// [`Error::Argument`] for anything else, such as a day that is not in the calendar.
    pub fn parse(text: &str) -> Result<Self> {
        let fail = || Error::argument("date", "a day of the calendar as YYYY-MM-DD", text);
        let shape =
            text.len() == 10 && text.bytes().enumerate().all(|(i, b)| if i == 4 || i == 7 { b == b'-' } else { b.is_ascii_digit() });
        let date: Date = if shape { text.parse().map_err(|_| fail())? } else { return Err(fail()) };
        Ok(Self::of(date))
    }

    pub(crate) fn of(date: Date) -> Self {
        Self(EPOCH.until(date).map_or(0, |span| span.get_days()))
    }

    /// The day, in UTC, of a moment in seconds since 1970.
    pub fn of_utc(at: i64) -> Self {
        Self(i32::try_from(at.div_euclid(SECONDS)).unwrap_or(i32::MAX))
    }

    pub(crate) fn civil(self) -> Option<Date> {
        EPOCH.checked_add(jiff::Span::new().try_days(self.0).ok()?).ok()
    }
}

impl std::fmt::Display for Day {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.civil() {
            Some(date) => write!(f, "{date}"),
            None => write!(f, "day {}", self.0),
        }
    }
}

/// An exchange: its time zone and its ordinary hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Name in the IANA data base.
    pub zone: &'static str,
    /// Hour and minute of the opening, local time.
    pub opens: (i8, i8),
    /// Hour and minute of the close, local time.
    pub closes: (i8, i8),
}

impl Exchange {
    /// New York: 9:30 to 16:00, which is 14:30 UTC to 21:00, an hour less in summer.
    pub const NEW_YORK: Self = Self { zone: "America/New_York", opens: (9, 30), closes: (16, 0) };
    /// Hong Kong.
    pub const HONG_KONG: Self = Self { zone: "Asia/Hong_Kong", opens: (9, 30), closes: (16, 0) };
    /// Shanghai and Shenzhen.
    pub const SHANGHAI: Self = Self { zone: "Asia/Shanghai", opens: (9, 30), closes: (15, 0) };

    /// The exchange of an instrument as the authors' files are named: five digits are Hong Kong, `SH` and `SZ` with six
    /// digits the mainland, all else New York.
    pub fn of(instrument: &str) -> Self {
        let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
        if digits(instrument, 5) {
            return Self::HONG_KONG;
        }
        match instrument.get(..2) {
            Some("SH" | "SZ") if instrument.get(2..).is_some_and(|rest| digits(rest, 6)) => Self::SHANGHAI,
            _ => Self::NEW_YORK,
        }
    }

    /// Opening of a day, in seconds since 1970 UTC. Half days and holidays are not known: they open like others.
    ///
    /// # Errors
    /// [`Error::Argument`] for a day outside the calendar.
    pub fn opening(&self, day: Day) -> Result<i64> {
        self.moment(day, self.opens)
    }

    /// Close of a day, in seconds since 1970 UTC. On half days trade ends earlier.
    ///
    /// # Errors
    /// [`Error::Argument`] for a day outside the calendar.
    pub fn closing(&self, day: Day) -> Result<i64> {
        self.moment(day, self.closes)
    }

    fn moment(&self, day: Day, (hour, minute): (i8, i8)) -> Result<i64> {
        let fail = || Error::argument("trading day", format!("a day of the calendar in {}", self.zone), day);
        let zone = TimeZone::get(self.zone).map_err(|_| fail())?;
        let local = day.civil().ok_or_else(fail)?.at(hour, minute, 0, 0);
        Ok(local.to_zoned_datetime(zone).map_err(|_| fail())?.timestamp().as_second())
    }

    /// The local day of a moment.
    ///
    /// # Errors
    /// [`Error::Argument`] for a moment outside the calendar.
    pub fn day_of(&self, at: i64) -> Result<Day> {
        let fail = || Error::argument("moment", "seconds since 1970 within the calendar", at);
        let zone = TimeZone::get(self.zone).map_err(|_| fail())?;
        Ok(Day::of(Timestamp::from_second(at).map_err(|_| fail())?.to_zoned_datetime(zone).date()))
    }
}

/// Reads Twitter's form of a moment, `Wed Jan 01 03:59:03 +0000 2014`, to seconds since 1970 UTC.
pub(crate) fn parse_moment(text: &str) -> Option<i64> {
    let time = jiff::fmt::strtime::parse("%a %b %d %H:%M:%S %z %Y", text).ok()?;
    let offset = time.offset()?;
    let utc = offset.to_timestamp(time.to_datetime().ok()?).ok()?;
    Some(utc.as_duration().checked_add(SignedDuration::ZERO)?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn days_count_from_1970() {
        // date -u -d 2015-10-01 +%s, over 86400
        assert_eq!(Day::parse("2015-10-01").unwrap(), Day(16_709));
        assert_eq!(Day(16_709).to_string(), "2015-10-01");
        assert_eq!(Day::parse("1969-12-31").unwrap(), Day(-1));
        assert_eq!(Day::of_utc(-1), Day(-1));
        for wrong in ["2015-02-29", "2015-1-01", "20151001", "2015-10-01T", "", "2015/10/01"] {
            assert!(Day::parse(wrong).is_err(), "{wrong}");
        }
    }

    /// Daylight saving time began on 2015-03-08 and ended on 2015-11-01 in New York (US Energy Policy Act of 2005).
    #[test]
    fn new_york_opens_an_hour_earlier_in_summer() {
        let open = |day: &str| Exchange::NEW_YORK.opening(Day::parse(day).unwrap()).unwrap();
        assert_eq!(open("2015-03-06"), at("2015-03-06T14:30:00Z"));
        assert_eq!(open("2015-03-09"), at("2015-03-09T13:30:00Z"));
        assert_eq!(open("2015-10-30"), at("2015-10-30T13:30:00Z"));
        assert_eq!(open("2015-11-02"), at("2015-11-02T14:30:00Z"));
        assert_eq!(Exchange::NEW_YORK.closing(Day::parse("2015-12-31").unwrap()).unwrap(), at("2015-12-31T21:00:00Z"));
        assert_eq!(Exchange::HONG_KONG.opening(Day::parse("2015-07-01").unwrap()).unwrap(), at("2015-07-01T01:30:00Z"));
        assert_eq!(Exchange::SHANGHAI.closing(Day::parse("2015-07-01").unwrap()).unwrap(), at("2015-07-01T07:00:00Z"));
    }

    #[test]
    fn a_moment_has_another_day_elsewhere() {
        let moment = at("2015-10-02T02:00:00Z");
        assert_eq!(Exchange::NEW_YORK.day_of(moment).unwrap(), Day::parse("2015-10-01").unwrap());
        assert_eq!(Exchange::HONG_KONG.day_of(moment).unwrap(), Day::of_utc(moment));
    }

    #[test]
    fn instruments_tell_their_exchange() {
        for (name, exchange) in [
            ("00700", Exchange::HONG_KONG),
            ("SH600000", Exchange::SHANGHAI),
            ("SZ300750", Exchange::SHANGHAI),
            ("AAPL", Exchange::NEW_YORK),
            ("SHOP", Exchange::NEW_YORK),
        ] {
            assert_eq!(Exchange::of(name), exchange, "{name}");
        }
    }

    #[test]
    fn twitter_moments_are_read_with_their_offset() {
        assert_eq!(parse_moment("Wed Jan 01 03:59:03 +0000 2014"), Some(at("2014-01-01T03:59:03Z")));
        assert_eq!(parse_moment("Wed Jan 01 03:59:03 +0200 2014"), Some(at("2014-01-01T01:59:03Z")));
        for wrong in ["", "Wed Jan 01 03:59:03 2014", "Wed Foo 01 03:59:03 +0000 2014", "Wed Jan 32 03:59:03 +0000 2014"] {
            assert_eq!(parse_moment(wrong), None, "{wrong}");
        }
    }
}
