// Element types and plain vectors, the same for device and host compilers.
#pragma once

struct bf16 { unsigned short bits; };
struct f16 { unsigned short bits; };
struct fp8 { unsigned char bits; }; // e4m3fn
struct fp8x2 { unsigned short bits; }; // two of them, the low byte first: an element of 16 bits to matrix loads
struct code8 { signed char value; };
struct code4 { unsigned char bits; }; // two codes, each plus 8, the low half first

struct alignas(16) words4 { unsigned w[4]; };

// Codes of element types in parameters; the CPU backend has the same.
enum { TYPE_F32 = 0, TYPE_F16 = 1, TYPE_BF16 = 2, TYPE_I8 = 3 };

// What a product or a norm does with its float32 result.
enum { EPILOGUE_STORE = 0, EPILOGUE_GELU = 1, EPILOGUE_ADD = 2 };

template <class T> struct type_code;
template <> struct type_code<float> { static constexpr int value = TYPE_F32; };
template <> struct type_code<f16> { static constexpr int value = TYPE_F16; };
template <> struct type_code<bf16> { static constexpr int value = TYPE_BF16; };
