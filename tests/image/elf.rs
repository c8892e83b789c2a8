//! What the kernel and a scanner read in the program: its segments and sections (ELF, 64 bits, little-endian).

/// A program file.
pub struct Elf {
    bytes: Vec<u8>,
}

/// `PT_INTERP`: the path of a dynamic loader.
const INTERPRETER: u64 = 3;
/// `PT_DYNAMIC`: what such a loader reads.
const DYNAMIC: u64 = 2;
/// `DT_NEEDED`: a library that has to be there.
const NEEDED: u64 = 1;

impl Elf {
    pub fn new(bytes: Vec<u8>) -> Elf {
        assert_eq!(&bytes[..6], b"\x7fELF\x02\x01", "an ELF file of 64 bits, little-endian");
        Elf { bytes }
    }

    /// 62 is x86-64, 183 AArch64.
    pub fn machine(&self) -> u64 {
        self.number(18, 2)
    }

    /// Whether a dynamic loader is asked for.
    pub fn has_interpreter(&self) -> bool {
        self.segments().any(|(kind, _, _)| kind == INTERPRETER)
    }

    /// How many libraries are asked for.
    pub fn libraries(&self) -> usize {
        let Some((_, start, size)) = self.segments().find(|(kind, _, _)| *kind == DYNAMIC) else { return 0 };
        (start..start + size).step_by(16).filter(|entry| self.number(*entry, 8) == NEEDED).count()
    }

    /// The content of a section.
    pub fn section(&self, name: &str) -> Option<&[u8]> {
        let names = self.header(self.number(62, 2) as usize).1;
        let count = self.number(60, 2) as usize;
        let header = (0..count).map(|index| self.header(index)).find(|(at, _, _)| {
            let start = names + at;
            let length = self.bytes[start..].iter().position(|byte| *byte == 0).unwrap_or(0);
            &self.bytes[start..start + length] == name.as_bytes()
        });
        header.map(|(_, start, size)| &self.bytes[start..start + size])
    }

    /// Kind, place and size of each segment.
    fn segments(&self) -> impl Iterator<Item = (u64, usize, usize)> + '_ {
        let (table, size) = (self.number(32, 8) as usize, self.number(54, 2) as usize);
        (0..self.number(56, 2) as usize).map(move |index| {
            let at = table + index * size;
            (self.number(at, 4), self.number(at + 8, 8) as usize, self.number(at + 32, 8) as usize)
        })
    }

    /// Place of the name, place and size of a section.
    fn header(&self, index: usize) -> (usize, usize, usize) {
        let at = self.number(40, 8) as usize + index * self.number(58, 2) as usize;
        (self.number(at, 4) as usize, self.number(at + 24, 8) as usize, self.number(at + 32, 8) as usize)
    }

    fn number(&self, at: usize, bytes: usize) -> u64 {
        self.bytes[at..at + bytes].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
