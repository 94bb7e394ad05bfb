// What one thread computes in the arithmetic test, compiled for the GPU and for the host. The sources are the same, so the results
// must be, bit for bit. NaNs are made alike (their bits are not specified); no operation here is undefined or differs by its rounding.
#pragma once

#ifdef __AMDGCN__
#define CONVOY_ANYWHERE __attribute__((device)) static inline
#define CONVOY_DEVICE __attribute__((device))
#else
#define CONVOY_ANYWHERE [[maybe_unused]] static inline
#define CONVOY_DEVICE
#endif

namespace arithmetic {

using Word = unsigned;
using Wide = unsigned long long;
using SignedWide = long long;

constexpr int k_inputs = 4;         // words a thread
constexpr int k_most_results = 400;

struct Results {
  Word* out;
  int thread, threads, count;
  CONVOY_DEVICE void put(Word value) { out[count++ * threads + thread] = value; }
  CONVOY_DEVICE void put(int value) { put(static_cast<Word>(value)); }
  CONVOY_DEVICE void put(bool value) { put(static_cast<Word>(value)); }
  CONVOY_DEVICE void put(Wide value) {
    put(static_cast<Word>(value));
    put(static_cast<Word>(value >> 32));
  }
  CONVOY_DEVICE void put(SignedWide value) { put(static_cast<Wide>(value)); }
  CONVOY_DEVICE void put(float value) { put(value != value ? 0x7fc00000u : __builtin_bit_cast(Word, value)); }
  CONVOY_DEVICE void put(double value) { put(value != value ? 0x7ff8000000000000ull : __builtin_bit_cast(Wide, value)); }
};

CONVOY_ANYWHERE float moderate(Word x) {
  const float fraction = static_cast<float>(static_cast<int>(x % 20001) - 10000) * 0.00123f;
  return fraction + static_cast<float>((x >> 20) & 1) * 1e3f;
}

CONVOY_ANYWHERE void integers(Results& r, Word a, Word b, Word c) {
  const int sa = static_cast<int>(a), sb = static_cast<int>(b), sc = static_cast<int>(c), divisor = static_cast<int>(b >> 1 | 1);
  const Word s = c & 31;
  r.put(a + b), r.put(a - b), r.put(a * b), r.put(a + b + c), r.put((a + b) << s), r.put((a << (s & 7)) + b);
  r.put(static_cast<Word>(static_cast<Wide>(a) * b >> 32)), r.put(static_cast<Word>(static_cast<SignedWide>(sa) * sb >> 32));
  r.put(a / (b | 1)), r.put(a % (b | 1)), r.put(sa / divisor), r.put(sa % divisor);
  r.put(a << s), r.put(a >> s), r.put(sa >> s), r.put((a << s) | (a >> ((32 - s) & 31)));
  r.put((a & b) | (~a & c)), r.put((a ^ b) + c), r.put((a & b) | c), r.put(a | b | c), r.put(a ^ b ^ c), r.put(~(a ^ b));
  r.put(__builtin_popcount(a)), r.put(a ? __builtin_clz(a) : 99), r.put(a ? __builtin_ctz(a) : 99), r.put(__builtin_bswap32(a));
  r.put(sa < sb ? sa : sb), r.put(a < b ? a : b), r.put(sa > sb ? sa : sb), r.put(a > b ? a : b);
  const int low = sa < sb ? sa : sb, high = sa < sb ? sb : sa;
  r.put(sc < low ? low : sc > high ? high : sc);
  r.put((a >> 3) & 0x7f), r.put(static_cast<int>(a << 5) >> 20), r.put((a >> (b & 24)) & 255);
  r.put((a & 0xffffff) * (b & 0xffffff)), r.put((a & 0xffffff) * (b & 0xffffff) + c);
  r.put(static_cast<Word>(static_cast<unsigned short>(a * b)));
  r.put(static_cast<short>(a) + static_cast<short>(b));
  r.put(static_cast<unsigned char>(a) * static_cast<unsigned char>(b));
  r.put(static_cast<signed char>(a >> 8) + static_cast<short>(b >> 16));
  r.put(a == b), r.put(sa <= sc), r.put(a + b < a), r.put(__builtin_abs(static_cast<int>(a >> 1)));
  int dot = sc;
  for (int n = 0; n < 32; n += 8) dot += static_cast<signed char>(a >> n) * static_cast<signed char>(b >> n);
  r.put(dot);
}

CONVOY_ANYWHERE void wide_integers(Results& r, Wide a, Wide b) {
  const Word s = static_cast<Word>(b >> 32);
  const auto sa = static_cast<SignedWide>(a), sb = static_cast<SignedWide>(b);
  const Word a_high = static_cast<Word>(a >> 32), a_low = static_cast<Word>(a);
  r.put(a + b), r.put(a - b), r.put(a * b), r.put(a / (b | 1)), r.put(a % (b | 1));
  r.put(sa / static_cast<SignedWide>(b >> 20 | 1)), r.put(sa % static_cast<SignedWide>(b >> 33 | 1));
  r.put(static_cast<Wide>(a_high) * a_low + b);
  r.put(static_cast<Wide>(static_cast<SignedWide>(static_cast<int>(a_high)) * static_cast<int>(a_low)) + b);
  r.put(a << (s & 63)), r.put(a >> (s & 63)), r.put(sa >> (s & 63));
  r.put(__builtin_popcountll(a)), r.put(a ? __builtin_clzll(a) : 99), r.put(a ? __builtin_ctzll(a) : 99);
  r.put(sa < sb ? sa : sb), r.put(a < b ? a : b), r.put(a <= b), r.put(sa == sb), r.put(sa > sb);
}

CONVOY_ANYWHERE void floats(Results& r, const Word* in) {
  const Word a = in[0];
  const float f = moderate(in[0]), g = moderate(in[1]), e = moderate(in[2]), any = __builtin_bit_cast(float, a);
  r.put(f + g), r.put(f - g), r.put(f * g), r.put(g != 0 ? f / g : 1), r.put(f / 3.0f), r.put(1.0f / (f + 11111.f));
  r.put(f * g + e), r.put(__builtin_fmaf(f, g, e)), r.put(-f * -g), r.put(__builtin_fabsf(f) - g);
  r.put(f < g ? f : g), r.put(__builtin_fminf(f, g)), r.put(__builtin_fmaxf(f, e)), r.put(f > 0 ? f : 0.1f * f);
  r.put(__builtin_floorf(f)), r.put(__builtin_ceilf(g)), r.put(__builtin_truncf(e)), r.put(__builtin_rintf(f * 2.5f));
  r.put(static_cast<float>(a)), r.put(static_cast<float>(static_cast<int>(a))), r.put(static_cast<float>(a & 255));
  r.put(static_cast<float>((a >> 16) & 255)), r.put(static_cast<Word>(f < 0 ? -f : f)), r.put(static_cast<int>(f));
  const Wide wide = static_cast<Wide>(a) << 32 | in[1];
  r.put(static_cast<float>(wide)), r.put(static_cast<float>(static_cast<SignedWide>(wide))), r.put(static_cast<SignedWide>(f * 1e3f));
  r.put(f < g), r.put(f <= g), r.put(f == g), r.put(!(f >= g)), r.put(any != any), r.put(__builtin_isinf(any) != 0);
  r.put(__builtin_copysignf(f, g));
  // Exponents far apart, the quotient still a normal number: whether denormals count is the kernel's mode, which is not modelled.
  const auto spread = [](Word x) { return __builtin_bit_cast(float, (x & 0xbfffffff) | 0x20000000); };
  r.put(spread(a) / spread(in[1]));
  r.put(__builtin_bit_cast(float, a << 16) * g);  // bf16 is the upper half of a float
}

CONVOY_ANYWHERE void doubles(Results& r, const Word* in) {
  const float f = moderate(in[0]);
  const double x = f * 1.0e-3 + moderate(in[1]), y = moderate(in[2]) + 0.37;
  r.put(x + y), r.put(x * y), r.put(x / y), r.put(__builtin_fma(x, y, static_cast<double>(f))), r.put(__builtin_floor(x));
  r.put(static_cast<int>(x)), r.put(static_cast<double>(static_cast<int>(in[0]))), r.put(static_cast<double>(f));
  r.put(static_cast<double>(static_cast<Wide>(in[0]) << 32 | in[1])), r.put(static_cast<SignedWide>(x * 1e5));
  r.put(static_cast<float>(x * 1e3)), r.put(__builtin_fmin(x, y)), r.put(x < y);
  // Any bits: infinities, denormals, quotients that are neither.
  const auto any = [](Word high, Word low) { return __builtin_bit_cast(double, static_cast<Wide>(high) << 32 | low); };
  r.put(any(in[0], in[1]) / any(in[2], in[3])), r.put(any(in[0], in[1]) * any(in[2], in[3]));
}

#if defined(__AMDGCN__) || defined(__FLT16_MAX__)
using Half = _Float16;

CONVOY_ANYWHERE Word bits(Half x) { return __builtin_bit_cast(unsigned short, x); }

CONVOY_ANYWHERE void halves(Results& r, const Word* in) {
  const float f = moderate(in[0]), g = moderate(in[1]), e = moderate(in[2]);
  const Half p = static_cast<Half>(f), q = static_cast<Half>(g), s = static_cast<Half>(e);
  const Half sum = p + q, product = p * s, other = q * s, rest = q - s;
  r.put(bits(p)), r.put(static_cast<float>(p)), r.put(bits(sum)), r.put(bits(product)), r.put(bits(p < q ? p : q));
  r.put(static_cast<float>(p) * static_cast<float>(q) + e), r.put(bits(static_cast<Half>(static_cast<float>(in[0] & 2047))));
  r.put(bits(product) | bits(other) << 16), r.put(bits(sum) | bits(rest) << 16);
  r.put(p < q), r.put(p == q), r.put(static_cast<int>(p));
}
#endif

// Memory of the thread itself, indexed at run time; loops whose length the data decides; a switch.
CONVOY_ANYWHERE void control(Results& r, const Word* in) {
  const Word a = in[0], b = in[1], c = in[2], d = in[3];
  Word array[16], sum = 0;
  for (Word k = 0; k < 16; k++) array[k] = a * (k + 1) + b;
  for (Word k = 0; k < (c & 15) + 1; k++) {
    sum += array[(d + k * 3) & 15];
    array[(b + k) & 15] ^= sum;
  }
  r.put(sum), r.put(array[a & 15]);
  Word chosen = a - b;
  switch (d % 7) {
    case 0: chosen = a * 3; break;
    case 1: chosen = b ^ c; break;
    case 2: chosen = a >> 2; break;
    case 3: chosen = c + d; break;
    case 4: chosen = a / ((c & 7) + 1); break;
    case 5: chosen = d * d; break;
    default: break;
  }
  r.put(chosen);
  Word x = (a & 1023) + 1, y = (b & 1023) + 1;
  while (y) {
    const Word rest = x % y;
    x = y;
    y = rest;
  }
  r.put(x);
}

// Returns the number of results.
CONVOY_ANYWHERE int compute(const Word* inputs, Word* out, int thread, int threads) {
  Results r{out, thread, threads, 0};
  const Word* in = inputs + static_cast<SignedWide>(thread) * k_inputs;
  integers(r, in[0], in[1], in[2]);
  wide_integers(r, static_cast<Wide>(in[0]) << 32 | in[1], static_cast<Wide>(in[2]) << 32 | in[3]);
  floats(r, in);
  doubles(r, in);
  control(r, in);
#if defined(__AMDGCN__) || defined(__FLT16_MAX__)
  halves(r, in);  // last: a host compiler without halves compares the rest
#endif
  return r.count;
}

}  // namespace arithmetic
