//! java.time patterns: `yyyy-MM-dd'T'HH:mm:ss.SSSXXX`, `dd/MMM/yyyy:HH:mm:ss Z` and the like.
//! Invariants: English names; letters that are not known make `new` answer `None`; sections in `[ ]` are optional when
//! parsing and always printed. Not here: the names that Elasticsearch gives to patterns.

use super::civil::{
    DAY_MS, Fields, civil_from_days, days_from_civil, offset_seconds, read_offset, zone_by_name,
};
use super::iso::{fraction, offset_text};
use jiff::tz::TimeZone;
use std::fmt::Write;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

/// A pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern(Vec<Item>);

#[derive(Debug, Clone, PartialEq)]
enum Item {
    Literal(String),
    Field(char, usize),
    Optional(Vec<Item>),
}

impl Pattern {
    /// Reads a pattern.
    pub(super) fn new(text: &str) -> Option<Self> {
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        let items = items(&chars, &mut at, 0)?;
        (at == chars.len() && !items.is_empty()).then_some(Self(items))
    }

    /// Reads a date; the whole text must be used.
    pub(super) fn parse(&self, text: &str, fields: &mut Fields) -> Option<()> {
        let mut at = 0;
        parse_items(&self.0, text, &mut at, fields)?;
        (at == text.len()).then_some(())
    }

    /// Prints a date.
    pub(super) fn format(&self, ms: i64, zone: &TimeZone) -> String {
        let mut out = String::new();
        let offset = offset_seconds(zone, ms);
        format_items(
            &self.0,
            ms.saturating_add(offset * 1000),
            offset,
            zone,
            ms,
            &mut out,
        );
        out
    }
}

/// The first letter of a pattern that means nothing, for the message.
pub(super) fn unknown_letter(text: &str) -> String {
    let known = "yuYMLEdHhkmsVDXxZSnzae'[]";
    text.chars()
        .find(|letter| letter.is_alphabetic() && !known.contains(*letter))
        .map(String::from)
        .unwrap_or_default()
}

fn items(chars: &[char], at: &mut usize, depth: usize) -> Option<Vec<Item>> {
    let mut items = Vec::new();
    let literal = |text: &str, items: &mut Vec<Item>| match items.last_mut() {
        Some(Item::Literal(last)) => last.push_str(text),
        _ => items.push(Item::Literal(text.to_owned())),
    };
    while let Some(&letter) = chars.get(*at) {
        match letter {
            '[' if depth < 4 => {
                *at += 1;
                items.push(Item::Optional(self::items(chars, at, depth + 1)?));
                if chars.get(*at) != Some(&']') {
                    return None;
                }
                *at += 1;
            }
            ']' if depth > 0 => return Some(items),
            '[' | ']' | '{' | '}' | '#' => return None,
            '\'' => {
                *at += 1;
                let mut quoted = String::new();
                loop {
                    match (chars.get(*at)?, chars.get(*at + 1)) {
                        ('\'', Some('\'')) if !quoted.is_empty() => {
                            quoted.push('\'');
                            *at += 2;
                        }
                        ('\'', _) => {
                            *at += 1;
                            break;
                        }
                        (other, _) => {
                            quoted.push(*other);
                            *at += 1;
                        }
                    }
                }
                literal(if quoted.is_empty() { "'" } else { &quoted }, &mut items);
            }
            _ if letter.is_ascii_alphabetic() => {
                let start = *at;
                while chars.get(*at) == Some(&letter) {
                    *at += 1;
                }
                let count = *at - start;
                let most = match letter {
                    'y' | 'u' | 'Y' => 4,
                    'M' | 'L' | 'E' => 4,
                    'd' | 'H' | 'h' | 'k' | 'm' | 's' | 'V' => 2,
                    'D' | 'X' | 'x' | 'Z' => 3,
                    'S' | 'n' => 9,
                    'z' => 4,
                    'a' => 1,
                    'e' => 1,
                    _ => 0,
                };
                if count > most {
                    return None;
                }
                items.push(Item::Field(letter, count));
            }
            _ => {
                literal(&letter.to_string(), &mut items);
                *at += 1;
            }
        }
    }
    (depth == 0).then_some(items)
}

fn parse_items(items: &[Item], text: &str, at: &mut usize, fields: &mut Fields) -> Option<()> {
    for (number, item) in items.iter().enumerate() {
        match item {
            Item::Literal(literal) => {
                if !text.get(*at..)?.starts_with(literal.as_str()) {
                    return None;
                }
                *at += literal.len();
            }
            Item::Optional(inner) => {
                let (mut next, mut found) = (*at, fields.clone());
                if parse_items(inner, text, &mut next, &mut found).is_some() {
                    (*at, *fields) = (next, found);
                }
            }
            Item::Field(letter, count) => {
                // A number followed by another number takes exactly its digits.
                let tight = matches!(items.get(number + 1), Some(Item::Field(next, count)) if is_digits(*next, *count));
                parse_field(*letter, *count, tight, text, at, fields)?;
            }
        }
    }
    Some(())
}

/// Whether a field is written in digits.
fn is_digits(letter: char, count: usize) -> bool {
    match letter {
        'a' | 'E' | 'X' | 'x' | 'Z' | 'z' | 'V' => false,
        'M' | 'L' => count < 3,
        _ => true,
    }
}

fn parse_field(
    letter: char,
    count: usize,
    tight: bool,
    text: &str,
    at: &mut usize,
    fields: &mut Fields,
) -> Option<()> {
    let bytes = text.as_bytes();
    let mut number = |most: usize| -> Option<u32> {
        let least = count;
        let most = if tight || count > 1 { count } else { most };
        let start = *at;
        let mut value = 0u32;
        while *at - start < most && bytes.get(*at).is_some_and(u8::is_ascii_digit) {
            value = value
                .checked_mul(10)?
                .checked_add(u32::from(bytes[*at] - b'0'))?;
            *at += 1;
        }
        (*at - start >= least).then_some(value)
    };
    match letter {
        'y' | 'u' | 'Y' => {
            let year = i64::from(number(9)?);
            fields.year = Some(if count == 2 { 2000 + year } else { year });
        }
        'M' | 'L' if count > 2 => {
            let found = name_at(&MONTHS, text.get(*at..)?, count == 4)?;
            *at += found.1;
            fields.month = Some(found.0 as u32 + 1);
        }
        'E' => *at += name_at(&WEEKDAYS, text.get(*at..)?, count == 4)?.1,
        'e' => {
            number(1)?;
        }
        'M' | 'L' => fields.month = Some(number(2)?),
        'd' => fields.day = Some(number(2)?),
        'D' => fields.day_of_year = Some(number(3)?),
        'H' => fields.hour = Some(number(2)?),
        'k' => fields.hour = Some(number(2)? % 24),
        'h' => fields.half_day_hour = Some(number(2)?),
        'm' => fields.minute = Some(number(2)?),
        's' => fields.second = Some(number(2)?),
        'n' => fields.nanos = Some(number(9)?),
        'S' => {
            let end = if tight { *at + count } else { bytes.len() };
            let cut = bytes.get(..end.min(bytes.len()))?;
            let start = *at;
            fields.nanos = Some(fraction(cut, at)?);
            if *at - start < count && tight {
                return None;
            }
        }
        'a' => {
            let half = text.get(*at..*at + 2)?;
            fields.afternoon = Some(match half.to_ascii_uppercase().as_str() {
                "AM" => false,
                "PM" => true,
                _ => return None,
            });
            *at += 2;
        }
        'X' | 'x' | 'Z' => fields.offset = Some(read_offset(bytes, at)?),
        'z' | 'V' => {
            if let Some(offset) = read_offset(bytes, at) {
                fields.offset = Some(offset);
                return Some(());
            }
            let rest = text.get(*at..)?;
            let end = rest
                .find(|letter: char| !(letter.is_ascii_alphanumeric() || "/_+-".contains(letter)))
                .unwrap_or(rest.len());
            zone_by_name(&rest[..end])?;
            fields.zone = Some(rest[..end].to_owned());
            *at += end;
        }
        _ => return None,
    }
    Some(())
}

/// The name that the text begins with, and its length there; whole names are taken where they are asked for, short ones
/// always.
fn name_at(names: &[&str], text: &str, full: bool) -> Option<(usize, usize)> {
    names.iter().enumerate().find_map(|(number, name)| {
        let lengths = if full { [name.len(), 3] } else { [3, 3] };
        lengths.into_iter().find_map(|length| {
            let found = text.get(..length)?;
            found
                .eq_ignore_ascii_case(&name[..length])
                .then_some((number, length))
        })
    })
}

fn format_items(
    items: &[Item],
    local: i64,
    offset: i64,
    zone: &TimeZone,
    ms: i64,
    out: &mut String,
) {
    let days = local.div_euclid(DAY_MS);
    let time = local.rem_euclid(DAY_MS);
    let (year, month, day) = civil_from_days(days);
    let hour = time / 3_600_000;
    for item in items {
        let (letter, count) = match item {
            Item::Literal(literal) => {
                out.push_str(literal);
                continue;
            }
            Item::Optional(inner) => {
                format_items(inner, local, offset, zone, ms, out);
                continue;
            }
            Item::Field(letter, count) => (*letter, *count),
        };
        let mut padded = |value: i64| {
            let _ = write!(out, "{value:0count$}");
        };
        match letter {
            'y' | 'u' | 'Y' if count == 2 => padded(year.rem_euclid(100)),
            'y' | 'u' | 'Y' => padded(year),
            'M' | 'L' if count > 2 => {
                let name = MONTHS[(month - 1) as usize];
                // Elasticsearch's locale has no whole names: it prints short ones.
                out.push_str(&name[..3]);
            }
            'E' => {
                let name = WEEKDAYS[days.rem_euclid(7) as usize];
                out.push_str(&name[..3]);
            }
            'M' | 'L' => padded(i64::from(month)),
            'e' => padded((days + 3).rem_euclid(7) + 1),
            'd' => padded(i64::from(day)),
            'D' => padded(days - days_from_civil(year, 1, 1) + 1),
            'H' => padded(hour),
            'k' => padded(if hour == 0 { 24 } else { hour }),
            'h' => padded(if hour % 12 == 0 { 12 } else { hour % 12 }),
            'm' => padded(time / 60_000 % 60),
            's' => padded(time / 1000 % 60),
            'n' => padded(time % 1000 * 1_000_000),
            'S' => {
                let nanos = format!("{:09}", time % 1000 * 1_000_000);
                out.push_str(&nanos[..count]);
            }
            'a' => out.push_str(if hour < 12 { "AM" } else { "PM" }),
            'X' if count == 1 && offset % 3600 == 0 => {
                let text = offset_text(offset, true, false);
                out.push_str(&text[..text.len().min(3)]);
            }
            'X' => out.push_str(&offset_text(offset, true, count == 3)),
            'x' => out.push_str(&offset_text(offset, false, count == 3)),
            'Z' => out.push_str(&offset_text(offset, false, false)),
            _ => match zone.iana_name() {
                Some(name) => out.push_str(name),
                None => out.push_str(&offset_text(offset_seconds(zone, ms), true, true)),
            },
        }
    }
}
