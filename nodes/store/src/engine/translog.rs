//! One journal record: the operations of one batch on one index, as they were applied.
//!
//! Invariants: a record is self-contained (index uuid, sequence numbers, versions, whole sources), so replay
//! needs no order between records; decoding damaged bytes is an error. Not here: the journal itself (`wharf-runtime`).

use super::codec::{CodecError, Reader, put_bytes, put_varint};

const FORM: u8 = 1;
const INDEX: u8 = 0;
const DELETE: u8 = 1;

/// An operation as it was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Logged<'a> {
    pub(crate) seq: u64,
    pub(crate) version: u64,
    /// `None`: the store chose the id.
    pub(crate) id: Option<&'a str>,
    /// `None`: a deletion.
    pub(crate) source: Option<&'a [u8]>,
}

/// Builds a record.
pub(crate) struct RecordWriter {
    bytes: Vec<u8>,
    empty: usize,
}

impl RecordWriter {
    pub(crate) fn new(index_uuid: &str, capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(capacity);
        bytes.push(FORM);
        put_bytes(&mut bytes, index_uuid.as_bytes());
        let empty = bytes.len();
        Self { bytes, empty }
    }

    pub(crate) fn push(&mut self, op: &Logged<'_>) {
        self.bytes
            .push(if op.source.is_some() { INDEX } else { DELETE });
        put_varint(&mut self.bytes, op.seq);
        put_varint(&mut self.bytes, op.version);
        put_bytes(&mut self.bytes, op.id.unwrap_or_default().as_bytes());
        if let Some(source) = op.source {
            put_bytes(&mut self.bytes, source);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The record; `None` when nothing was added.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        (self.bytes.len() > self.empty).then_some(self.bytes)
    }
}

/// Reads a record, handing over the index uuid and then each operation.
pub(crate) fn read_record<'a>(
    bytes: &'a [u8],
    mut each: impl FnMut(&'a str, Logged<'a>),
) -> Result<(), CodecError> {
    let mut reader = Reader::new(bytes);
    if reader.byte()? != FORM {
        return Err(CodecError("journal record of an unknown form"));
    }
    let uuid = reader.string()?;
    while !reader.is_empty() {
        let kind = reader.byte()?;
        let seq = reader.varint()?;
        let version = reader.varint()?;
        let id = reader.string()?;
        let id = (!id.is_empty()).then_some(id);
        let source = match kind {
            INDEX => Some(reader.bytes()?),
            DELETE => None,
            _ => return Err(CodecError("journal operation of an unknown kind")),
        };
        each(
            uuid,
            Logged {
                seq,
                version,
                id,
                source,
            },
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_round_trip(ops in prop::collection::vec((any::<u64>(), any::<u64>(), "[a-z]{0,5}", prop::option::of(prop::collection::vec(any::<u8>(), 0..30))), 1..20)) {
            let mut writer = RecordWriter::new("uuid", 0);
            for (seq, version, id, source) in &ops {
                let id = (!id.is_empty()).then_some(id.as_str());
                writer.push(&Logged { seq: *seq, version: *version, id, source: source.as_deref() });
            }
            let bytes = writer.finish().unwrap();
            let mut n = 0;
            read_record(&bytes, |uuid, op| {
                assert_eq!(uuid, "uuid");
                assert_eq!((op.seq, op.version), (ops[n].0, ops[n].1));
                assert_eq!(op.id.unwrap_or_default(), ops[n].2);
                assert_eq!(op.source, ops[n].3.as_deref());
                n += 1;
            }).unwrap();
            prop_assert_eq!(n, ops.len());
        }

        #[test]
        fn damaged_records_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read_record(&bytes, |_, _| {});
        }
    }
}
