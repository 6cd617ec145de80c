//! What the spool keeps: a group of documents as one record.
//!
//! Invariants: what was encoded decodes to the same; any other bytes give an error, never a panic
//! and never more documents than there are bytes for.
//! Not here: the journal's own checksums and compression.

use crate::document::Document;

const VERSION: u8 = 1;
const FLAG_VERIFY: u8 = 1;

/// A record cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It was written by a newer program.
    #[error("a spool record has the unknown version {0}; start the newer program again")]
    Version(u8),
    /// It ends too early or says lengths that do not fit.
    #[error("a spool record is damaged; it is left out")]
    Damaged,
}

/// Documents that are spooled together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// Some of the documents may have been shipped before: ask before sending.
    pub verify: bool,
    /// The documents.
    pub documents: Vec<Document>,
}

impl Record {
    /// The bytes to keep. Names longer than 255 bytes do not occur; such a document is left out.
    pub fn encode(&self) -> Vec<u8> {
        let bytes: usize = self.documents.iter().map(size).sum();
        let mut out = Vec::with_capacity(2 + bytes);
        out.push(VERSION);
        out.push(if self.verify { FLAG_VERIFY } else { 0 });
        for document in &self.documents {
            let lengths = (
                u8::try_from(document.stream.len()),
                u8::try_from(document.id.len()),
                u32::try_from(document.body.len()),
            );
            let (Ok(stream), Ok(id), Ok(body)) = lengths else {
                continue;
            };
            out.push(stream);
            out.extend_from_slice(document.stream.as_bytes());
            out.push(id);
            out.extend_from_slice(document.id.as_bytes());
            out.extend_from_slice(&body.to_le_bytes());
            out.extend_from_slice(&document.body);
        }
        out
    }

    /// Reads what [`Record::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (head, mut rest) = bytes.split_at_checked(2).ok_or(RecordError::Damaged)?;
        if head[0] != VERSION {
            return Err(RecordError::Version(head[0]));
        }
        let mut documents = Vec::new();
        while !rest.is_empty() {
            let stream = text(&mut rest)?;
            let id = text(&mut rest)?;
            let length = take(&mut rest, 4)?;
            let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
            let body = take(&mut rest, length as usize)?.to_vec();
            documents.push(Document { stream, id, body });
        }
        Ok(Self {
            verify: head[1] & FLAG_VERIFY != 0,
            documents,
        })
    }
}

/// What a document takes in a record.
pub fn size(document: &Document) -> usize {
    6 + document.stream.len() + document.id.len() + document.body.len()
}

fn take<'a>(rest: &mut &'a [u8], count: usize) -> Result<&'a [u8], RecordError> {
    let (taken, left) = rest.split_at_checked(count).ok_or(RecordError::Damaged)?;
    *rest = left;
    Ok(taken)
}

fn text(rest: &mut &[u8]) -> Result<String, RecordError> {
    let length = usize::from(take(rest, 1)?[0]);
    let bytes = take(rest, length)?;
    std::str::from_utf8(bytes)
        .map(str::to_owned)
        .map_err(|_| RecordError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_record_comes_back_and_other_bytes_do_no_harm(
            verify: bool,
            parts in proptest::collection::vec(("[a-z.-]{0,40}", "[a-zA-Z0-9_-]{0,20}", any::<Vec<u8>>()), 0..8),
            noise: Vec<u8>,
            cut in any::<prop::sample::Index>(),
        ) {
            let documents = parts.into_iter().map(|(stream, id, body)| Document { stream, id, body });
            let record = Record { verify, documents: documents.collect() };
            let bytes = record.encode();
            prop_assert_eq!(Record::decode(&bytes), Ok(record));
            let _ = Record::decode(&bytes[..cut.index(bytes.len())]);
            let _ = Record::decode(&noise);
        }
    }
}
