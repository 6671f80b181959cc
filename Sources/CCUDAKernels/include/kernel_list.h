// Every kernel: K(name, signature, threads).
//
// signature: a letter per parameter, in order: p pointer (8 bytes), i int, f float (4), l long long (8).
// threads: most threads of a block, the kernel's launch bounds. Grid, block and shared memory stand above each kernel
// in cuda/<source>.cu. The launcher of devices and the host's shim both read this list; the shim's tests compare it
// with the signatures that the compiler sees.
#pragma once

#define CK_SOURCES(S) S(norm) S(elementwise)

// One entry per activation type.
#define CK_ACTIVATIONS(K, name, signature, threads)                                                                   \
    K(name##_f32, signature, threads) K(name##_f16, signature, threads) K(name##_bf16, signature, threads)

#define CK_KERNELS_norm(K)                                                                                            \
    CK_ACTIVATIONS(K, rms_norm, "pipifp", 256)                                                                        \
    CK_ACTIVATIONS(K, layer_norm, "pipipifip", 256)

#define CK_KERNELS_elementwise(K)                                                                                     \
    CK_ACTIVATIONS(K, gated_silu_fused, "pipl", 256)                                                                  \
    CK_ACTIVATIONS(K, gated_silu, "pppl", 256)                                                                        \
    CK_ACTIVATIONS(K, add, "pipl", 256)                                                                               \
    CK_ACTIVATIONS(K, scale, "pfl", 256)                                                                              \
    K(copy_convert, "pipil", 256)                                                                                     \
    K(find_non_finite, "pipl", 256)
