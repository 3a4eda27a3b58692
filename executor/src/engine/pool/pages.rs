//! Which pages of a range were written: Linux' `PAGEMAP_SCAN`, since 6.7
//! (`Documentation/admin-guide/mm/pagemap.rst`).

use std::fs::File;
use std::ops::Range;
use std::os::fd::OwnedFd;

use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

/// Most pages that one look finds. What is beyond is not worth keeping.
pub(super) const FOUND_MAX: usize = 64;

/// `PAGE_IS_FILE`: a page of a file that was not written through this mapping.
const FILE: u64 = 1 << 2;
/// `PAGE_IS_PRESENT`
const PRESENT: u64 = 1 << 3;
/// `PAGE_IS_SWAPPED`
const SWAPPED: u64 = 1 << 4;
/// `PAGE_IS_PFNZERO`: the one page of zeroes that stands for all that were only read.
const PFNZERO: u64 = 1 << 5;

/// `struct page_region`
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Region {
    start: u64,
    end: u64,
    categories: u64,
}

/// `struct pm_scan_arg`
#[repr(C)]
struct Scan {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

// SAFETY: the kernel reads `Scan`, writes its `walk_end`, and writes at most `vec_len` regions to `vec`,
// which `PageMap::written` keeps for as long as the call lasts; it returns how many it wrote.
unsafe impl Ioctl for &mut Scan {
    type Output = usize;

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> Opcode {
        opcode::read_write::<Scan>(b'f', 16)
    }

    fn as_ptr(&mut self) -> *mut std::ffi::c_void {
        std::ptr::from_mut::<Scan>(self).cast()
    }

    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut std::ffi::c_void) -> rustix::io::Result<usize> {
        usize::try_from(out).map_err(|_| rustix::io::Errno::INVAL)
    }
}

/// Looks at the process' own page tables.
pub(super) struct PageMap {
    /// `None` where the kernel cannot tell.
    file: Option<OwnedFd>,
}

/// Pages that were written.
pub(super) struct Written {
    regions: [Region; FOUND_MAX],
    count: usize,
    /// What was not looked at, since enough was found before.
    pub(super) rest: Range<usize>,
}

impl Written {
    /// Their addresses, in ranges of whole pages.
    pub(super) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        // An address fits a usize: the kernel was asked about such addresses.
        self.regions.iter().take(self.count).map(|region| region.start as usize..region.end as usize)
    }
}

impl PageMap {
    /// Finds out whether this kernel can tell.
    pub(super) fn open() -> PageMap {
        let map = PageMap { file: File::open("/proc/self/pagemap").ok().map(OwnedFd::from) };
        match map.written(0..0) {
            Some(_) => map,
            None => PageMap { file: None },
        }
    }

    /// A kernel that cannot tell.
    #[cfg(test)]
    pub(super) fn none() -> PageMap {
        PageMap { file: None }
    }

    /// The pages of a range that are no longer as they were mapped; `None` if that is not known.
    pub(super) fn written(&self, range: Range<usize>) -> Option<Written> {
        let mut written = Written { regions: [Region::default(); FOUND_MAX], count: 0, rest: 0..0 };
        let mut scan = Scan {
            size: size_of::<Scan>() as u64,
            flags: 0,
            start: range.start as u64,
            end: range.end as u64,
            walk_end: 0,
            vec: written.regions.as_mut_ptr() as u64,
            vec_len: FOUND_MAX as u64,
            max_pages: FOUND_MAX as u64,
            // Present or swapped out, and neither of a file nor the page of zeroes.
            category_inverted: FILE | PFNZERO,
            category_mask: FILE | PFNZERO,
            category_anyof_mask: PRESENT | SWAPPED,
            return_mask: PRESENT,
        };
        // SAFETY: `Scan` describes this call, and `regions` lives until it returns.
        written.count = unsafe { ioctl(self.file.as_ref()?, &mut scan) }.ok()?;
        written.rest = usize::try_from(scan.walk_end).ok()?.clamp(range.start, range.end)..range.end;
        Some(written)
    }
}
