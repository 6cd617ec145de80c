//! Lists: filter, order and pages in one way for every list of the API. Grammar of a filter:
//! `field=value`, `field!=value`, `field~text`, joined by ` and `; a value with ` and ` in it is
//! quoted. A page token names the last row, not a position, so that rows that come and go between
//! two pages are neither doubled nor shift others. Not here: what the rows are, the codes of errors.

use std::{cmp::Ordering, fmt::Write as _};

use sha2::{Digest, Sha256};

/// Rows of a page when none are asked for.
pub const DEFAULT_PAGE: usize = 100;
/// Rows of a page at most.
pub const MAX_PAGE: usize = 1_000;
/// Bytes of a filter at most.
pub const FILTER_BYTES: usize = 2_048;
/// Terms of a filter at most.
pub const FILTER_TERMS: usize = 16;
/// Bytes of a page token at most.
pub const TOKEN_BYTES: usize = 16 * 1024;

/// What a row has in a field.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A text; compared as it is.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}
impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}
impl From<u64> for Value {
    #[allow(clippy::cast_precision_loss)]
    fn from(value: u64) -> Self {
        Self::Number(value as f64)
    }
}
impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Number(f64::from(value))
    }
}

impl Value {
    /// As people read it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Bool(value) => value.to_string(),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            // Rows of one list agree on a field's kind; if they do not, the order is still total.
            _ => self.kind().cmp(&other.kind()),
        }
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Bool(_) => 0,
            Self::Number(_) => 1,
            Self::Text(_) => 2,
        }
    }

    fn equals(&self, text: &str) -> bool {
        match self {
            Self::Text(own) => own == text,
            Self::Number(own) => text
                .parse::<f64>()
                .is_ok_and(|number| number.total_cmp(own).is_eq()),
            Self::Bool(own) => text == if *own { "true" } else { "false" },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Contains,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: String,
    operator: Operator,
    value: String,
}

/// How a list is asked for, as it came over the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ask<'a> {
    /// Zero: [`DEFAULT_PAGE`].
    pub page_size: u32,
    /// From the previous page; empty for the first.
    pub page_token: &'a str,
    /// May be empty.
    pub filter: &'a str,
    /// `field` or `field desc`; may be empty.
    pub order_by: &'a str,
}

/// A list that was asked for, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct ListQuery {
    page_size: usize,
    terms: Vec<Term>,
    order: String,
    descending: bool,
    /// Order key and id of the last row of the previous page.
    after: Option<(Value, String)>,
    digest: String,
}

/// One page.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// Its rows.
    pub rows: Vec<T>,
    /// Empty on the last page.
    pub next_page_token: String,
    /// Rows that match, over all pages.
    pub total: u64,
}

/// Which option is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// Too many rows for a page.
    PageSize,
    /// Not a token of this list.
    PageToken,
    /// Not a filter.
    Filter,
    /// Not an order.
    Order,
}

/// Why a list cannot be given as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ListError {
    /// Which option is wrong.
    pub mistake: Mistake,
    /// What is wrong.
    pub message: String,
    /// What the user can do.
    pub hint: String,
}

impl ListError {
    /// The request's field at fault, `options.filter`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        match self.mistake {
            Mistake::PageSize => "options.page_size",
            Mistake::PageToken => "options.page_token",
            Mistake::Filter => "options.filter",
            Mistake::Order => "options.order_by",
        }
    }
}

fn refuse(mistake: Mistake, message: String, hint: String) -> ListError {
    ListError {
        mistake,
        message,
        hint,
    }
}

fn cut(text: &str, limit: usize) -> &str {
    let end = text
        .char_indices()
        .map(|(at, letter)| at + letter.len_utf8())
        .take_while(|end| *end <= limit)
        .last();
    &text[..end.unwrap_or(0)]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl<'a> From<&'a crate::v1::ListOptions> for Ask<'a> {
    fn from(options: &'a crate::v1::ListOptions) -> Self {
        Self {
            page_size: options.page_size,
            page_token: &options.page_token,
            filter: &options.filter,
            order_by: &options.order_by,
        }
    }
}

impl<T> Page<T> {
    /// What the answer says beside its rows.
    #[must_use]
    pub fn info(&self) -> crate::v1::ListInfo {
        crate::v1::ListInfo {
            next_page_token: self.next_page_token.clone(),
            total: self.total,
        }
    }
}

impl ListQuery {
    /// Reads what was asked. `fields` are those that rows have; the first is the default order.
    ///
    /// # Errors
    /// Names the option that is wrong.
    pub fn parse(ask: &Ask<'_>, fields: &[&str]) -> Result<Self, ListError> {
        let page_size = match ask.page_size as usize {
            0 => DEFAULT_PAGE,
            size if size <= MAX_PAGE => size,
            size => {
                return Err(refuse(
                    Mistake::PageSize,
                    format!("{size} rows are too many for a page"),
                    format!("ask for 1 to {MAX_PAGE} and follow the page token"),
                ));
            }
        };
        let terms = parse_filter(ask.filter, fields)?;
        let (order, descending) = parse_order(ask.order_by, fields)?;
        let digest = digest(ask.filter, &order, descending);
        let after = if ask.page_token.is_empty() {
            None
        } else {
            Some(parse_token(ask.page_token, &digest).ok_or_else(|| {
                refuse(
                    Mistake::PageToken,
                    "the page token is not from this list with this filter and order".to_owned(),
                    "start again without a page token".to_owned(),
                )
            })?)
        };
        Ok(Self {
            page_size,
            terms,
            order,
            descending,
            after,
            digest,
        })
    }

    /// The rows that the filter lets through. `field` as for a page.
    pub fn matching<T>(
        &self,
        rows: impl IntoIterator<Item = T>,
        field: impl Fn(&T, &str) -> Value,
    ) -> Vec<T> {
        rows.into_iter()
            .filter(|row| self.lets_through(row, &field))
            .collect()
    }

    fn lets_through<T>(&self, row: &T, field: impl Fn(&T, &str) -> Value) -> bool {
        let mut terms = self.terms.iter();
        terms.all(|term| term.matches(&field(row, &term.field)))
    }

    /// The page of these rows. `field` gives a row's value in a field (one of those that `parse`
    /// got), `id` its unique id.
    pub fn page<T>(
        &self,
        rows: impl IntoIterator<Item = T>,
        field: impl Fn(&T, &str) -> Value,
        id: impl Fn(&T) -> String,
    ) -> Page<T> {
        let mut matching: Vec<(Value, T)> = rows
            .into_iter()
            .filter(|row| self.lets_through(row, &field))
            .map(|row| (field(&row, &self.order), row))
            .collect();
        let total = matching.len() as u64;
        if let Some((key, last)) = &self.after {
            matching.retain(|(value, row)| {
                let order = self.by_key(value, key);
                order.then_with(|| id(row).cmp(last)).is_gt()
            });
        }
        let more = matching.len() > self.page_size;
        let mut page: Vec<(Value, String, T)> = if more {
            self.first(matching, id)
        } else {
            let all = matching.into_iter();
            all.map(|(value, row)| (value, id(&row), row)).collect()
        };
        page.sort_unstable_by(|a, b| self.by_key(&a.0, &b.0).then_with(|| a.1.cmp(&b.1)));
        let next_page_token = match page.last() {
            Some((key, last, _)) if more => make_token(&self.digest, key, last),
            _ => String::new(),
        };
        Page {
            rows: page.into_iter().map(|(_, _, row)| row).collect(),
            next_page_token,
            total,
        }
    }

    /// A page of more rows than it has, in no order. Of a long list only what may be on the page gets an id that is
    /// kept: where all rows are alike in what they are ordered by, that is every row's turn and few rows' place.
    fn first<T>(
        &self,
        mut matching: Vec<(Value, T)>,
        id: impl Fn(&T) -> String,
    ) -> Vec<(Value, String, T)> {
        matching.select_nth_unstable_by(self.page_size - 1, |a, b| self.by_key(&a.0, &b.0));
        let last = matching[self.page_size - 1].0.clone();
        let mut page = Vec::with_capacity(self.page_size);
        let mut alike = Vec::new();
        for (value, row) in matching {
            match self.by_key(&value, &last) {
                Ordering::Less => page.push((value, id(&row), row)),
                Ordering::Equal => alike.push((value, row)),
                Ordering::Greater => {}
            }
        }
        let room = self.page_size - page.len();
        let by_id = |a: &(Value, String, T), b: &(Value, String, T)| a.1.cmp(&b.1);
        let mut chosen: Vec<(Value, String, T)> = Vec::with_capacity(2 * room);
        let mut beyond: Option<String> = None;
        for (value, row) in alike {
            let own = id(&row);
            if beyond.as_ref().is_some_and(|beyond| own > *beyond) {
                continue;
            }
            chosen.push((value, own, row));
            if chosen.len() == 2 * room {
                chosen.select_nth_unstable_by(room - 1, by_id);
                chosen.truncate(room);
                beyond = chosen.last().map(|(_, own, _)| own.clone());
            }
        }
        if chosen.len() > room {
            chosen.select_nth_unstable_by(room - 1, by_id);
            chosen.truncate(room);
        }
        page.append(&mut chosen);
        page
    }

    fn by_key(&self, a: &Value, b: &Value) -> Ordering {
        let order = a.compare(b);
        if self.descending {
            order.reverse()
        } else {
            order
        }
    }
}

impl Term {
    fn matches(&self, value: &Value) -> bool {
        match self.operator {
            Operator::Equal => value.equals(&self.value),
            Operator::NotEqual => !value.equals(&self.value),
            Operator::Contains => value.text().to_lowercase().contains(&self.value),
        }
    }
}

fn parse_filter(filter: &str, fields: &[&str]) -> Result<Vec<Term>, ListError> {
    let wrong = |message: String| {
        refuse(
            Mistake::Filter,
            message,
            format!(
                "write field=value, field!=value or field~text, joined by ` and `; fields: {}",
                fields.join(", ")
            ),
        )
    };
    if filter.len() > FILTER_BYTES {
        return Err(wrong(format!(
            "the filter has more than {FILTER_BYTES} bytes"
        )));
    }
    let mut terms = Vec::new();
    let mut rest = filter.trim();
    while !rest.is_empty() {
        if terms.len() == FILTER_TERMS {
            return Err(wrong(format!(
                "the filter has more than {FILTER_TERMS} terms"
            )));
        }
        let end = rest
            .find(['=', '!', '~'])
            .ok_or_else(|| wrong(format!("`{}` has no operator", cut(rest, 60))))?;
        let field = rest[..end].trim();
        if !fields.contains(&field) {
            return Err(wrong(format!("there is no field `{}`", cut(field, 60))));
        }
        let tail = &rest[end..];
        let (operator, tail) = if let Some(tail) = tail.strip_prefix("!=") {
            (Operator::NotEqual, tail)
        } else if let Some(tail) = tail.strip_prefix('=') {
            (Operator::Equal, tail)
        } else if let Some(tail) = tail.strip_prefix('~') {
            (Operator::Contains, tail)
        } else {
            return Err(wrong(format!("`{}` is no operator", cut(tail, 2))));
        };
        let tail = tail.trim_start();
        let (value, after) = if let Some(quoted) = tail.strip_prefix('"') {
            let end = quoted
                .find('"')
                .ok_or_else(|| wrong("a quote is not closed".to_owned()))?;
            let after = quoted[end + 1..].trim_start();
            let after = match after.strip_prefix("and ") {
                Some(next) => Some(next),
                None if after.is_empty() => None,
                None => return Err(wrong(format!("`{}` follows a value", cut(after, 60)))),
            };
            (&quoted[..end], after)
        } else {
            match tail.split_once(" and ") {
                Some((value, next)) => (value.trim_end(), Some(next)),
                None if tail.ends_with(" and") => {
                    return Err(wrong("the filter ends with ` and`".to_owned()));
                }
                None => (tail, None),
            }
        };
        terms.push(Term {
            field: field.to_owned(),
            operator,
            value: match operator {
                Operator::Contains => value.to_lowercase(),
                Operator::Equal | Operator::NotEqual => value.to_owned(),
            },
        });
        match after {
            Some(next) if next.trim().is_empty() => {
                return Err(wrong("the filter ends with ` and `".to_owned()));
            }
            Some(next) => rest = next.trim_start(),
            None => break,
        }
    }
    Ok(terms)
}

fn parse_order(order_by: &str, fields: &[&str]) -> Result<(String, bool), ListError> {
    let mut words = order_by.split_whitespace();
    let field = words
        .next()
        .or_else(|| fields.first().copied())
        .unwrap_or_default();
    let descending = match words.next() {
        None | Some("asc") => Some(false),
        Some("desc") => Some(true),
        Some(_) => None,
    };
    match descending {
        Some(descending) if words.next().is_none() && fields.contains(&field) => {
            Ok((field.to_owned(), descending))
        }
        _ => Err(refuse(
            Mistake::Order,
            format!("`{}` is no order", cut(order_by, 60)),
            format!(
                "write a field, then ` desc` if wanted; fields: {}",
                fields.join(", ")
            ),
        )),
    }
}

fn digest(filter: &str, order: &str, descending: bool) -> String {
    let mut hasher = Sha256::new();
    hasher.update(filter.trim().as_bytes());
    hasher.update([0, u8::from(descending)]);
    hasher.update(order.as_bytes());
    hex(&hasher.finalize()[..8])
}

/// `digest.kind.key.id`, key and id in hex: opaque, printable, without padding.
fn make_token(digest: &str, key: &Value, id: &str) -> String {
    let (kind, key) = match key {
        Value::Text(text) => ('t', text.clone().into_bytes()),
        Value::Number(number) => ('n', number.to_bits().to_be_bytes().to_vec()),
        Value::Bool(value) => ('b', vec![u8::from(*value)]),
    };
    let mut token = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        token,
        "{digest}.{kind}.{}.{}",
        hex(&key),
        hex(id.as_bytes())
    );
    token
}

fn parse_token(token: &str, digest: &str) -> Option<(Value, String)> {
    if token.len() > TOKEN_BYTES {
        return None;
    }
    let mut parts = token.split('.');
    if parts.next()? != digest {
        return None;
    }
    let kind = parts.next()?;
    let key = unhex(parts.next()?)?;
    let id = String::from_utf8(unhex(parts.next()?)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let key = match kind {
        "t" => Value::Text(String::from_utf8(key).ok()?),
        "n" => Value::Number(f64::from_bits(u64::from_be_bytes(key.try_into().ok()?))),
        "b" => Value::Bool(key == [1]),
        _ => return None,
    };
    Some((key, id))
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(&text[start..start + 2], 16).ok())
        .collect()
}

#[cfg(test)]
mod tests;
