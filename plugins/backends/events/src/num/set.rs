//! Bit masks into lists of positions.

use pulp::Simd;

/// Appends `from + i` for every bit `i` that is set, ascending.
#[inline(always)]
pub fn push_set<S: Simd>(simd: S, bits: u64, from: u32, list: &mut Vec<u32>) {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if let Some(v4) = (&simd as &dyn std::any::Any).downcast_ref::<pulp::x86::V4>() {
        return compressed(*v4, bits, from, list);
    }
    let _ = simd;
    let mut bits = bits;
    while bits != 0 {
        list.push(from + bits.trailing_zeros());
        bits &= bits - 1;
    }
}

/// Sixteen candidates at a time, those that are set moved to the front; no branch depends on how many there are.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[inline(always)]
fn compressed(v4: pulp::x86::V4, bits: u64, from: u32, list: &mut Vec<u32>) {
    if bits == 0 {
        return;
    }
    const COUNT: [u32; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let words = v4.avx512f;
    list.reserve(64 + 16);
    for part in 0..4u32 {
        let mask = (bits >> (16 * part)) as u16;
        let all = words._mm512_add_epi32(bytemuck::cast(COUNT), words._mm512_set1_epi32((from + 16 * part).cast_signed()));
        let front: [u32; 16] = bytemuck::cast(words._mm512_maskz_compress_epi32(mask, all));
        let end = list.len() + mask.count_ones() as usize;
        list.extend_from_slice(&front);
        list.truncate(end);
    }
}
