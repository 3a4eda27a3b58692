//! What a module's memory holds when it begins.

use wasmparser::{DataKind, DataSectionReader, Operator};

/// The data of a module's first memory, by address; no two pieces overlap.
#[derive(Default)]
pub(super) struct Image<'a> {
    pieces: Vec<(u32, &'a [u8])>,
}

impl<'a> Image<'a> {
    /// Reads a data section. What is put elsewhere than at a fixed address is left out; if pieces overlap,
    /// there is no telling what a program sees, and the image is empty.
    pub(super) fn read(section: DataSectionReader<'a>) -> Image<'a> {
        let mut pieces: Vec<(u32, &'a [u8])> = section.into_iter().flatten().filter_map(fixed).collect();
        pieces.sort_by_key(|(start, _)| *start);
        let overlap = pieces.windows(2).any(|pair| match pair {
            [(start, bytes), (next, _)] => u64::from(*start) + bytes.len() as u64 > u64::from(*next),
            _ => false,
        });
        if overlap {
            pieces.clear();
        }
        Image { pieces }
    }

    /// The bytes of a range that lies within one piece.
    pub(super) fn bytes(&self, at: u32, len: u32) -> Option<&'a [u8]> {
        self.from(at)?.get(..usize::try_from(len).ok()?)
    }

    /// The bytes before the first zero at or after an address, if it comes within `len_max` bytes. Linkers
    /// leave zeros at the end of a piece out: what follows it is zero.
    pub(super) fn c_string(&self, at: u32, len_max: usize) -> Option<&'a [u8]> {
        let rest = self.from(at)?;
        let shown = rest.get(..len_max.saturating_add(1)).unwrap_or(rest);
        match shown.iter().position(|byte| *byte == 0) {
            Some(end) => shown.get(..end),
            None if shown.len() < rest.len() || self.is_data(u64::from(at) + rest.len() as u64) => None,
            None => Some(rest),
        }
    }

    /// What is left of the piece that an address lies in.
    fn from(&self, at: u32) -> Option<&'a [u8]> {
        let index = self.pieces.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
        let (start, bytes) = self.pieces.get(index)?;
        bytes.get(usize::try_from(at.checked_sub(*start)?).ok()?..)
    }

    /// Whether a piece begins at an address that is the end of another.
    fn is_data(&self, at: u64) -> bool {
        self.pieces.binary_search_by_key(&at, |(start, _)| u64::from(*start)).is_ok()
    }
}

fn fixed(data: wasmparser::Data<'_>) -> Option<(u32, &[u8])> {
    let DataKind::Active { memory_index: 0, offset_expr } = data.kind else { return None };
    let mut operators = offset_expr.get_operators_reader();
    match (operators.read().ok()?, operators.read().ok()?) {
        (Operator::I32Const { value }, Operator::End) if !data.data.is_empty() => {
            Some((value.cast_unsigned(), data.data))
        }
        _ => None,
    }
}
