/// How tests steer the simulated driver: machines, faults, findings, leaks, traces, kernels of their own.
///
/// The simulator reads its machine from the JSON file that the environment variable FACET_CUDASIM names, or from
/// `cudasim_load_machine`. Without either it has no devices. docs: README.md beside this folder.
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Geometry, parameters and schedule of one launch of a kernel that was compiled for the host.
typedef struct simt_launch {
    unsigned grid[3], block[3], shared_bytes, schedule; // schedule 0 forward, 1 reverse, 2 rotated
    void **params;
} simt_launch;

/// A kernel compiled for the host; the interface of Tests/SIMTKernels.
typedef struct simt_kernel {
    const char *name;
    unsigned param_count;
    const unsigned *param_sizes;
    unsigned max_threads;
    int (*run)(const simt_launch *, char *error, unsigned long error_size);
} simt_kernel;

/// Ends all simulated work, forgets every object, fault, finding and trace entry, and loads a machine: the JSON text,
/// or what FACET_CUDASIM names when null. Returns 0, or 1 with the reason in `cudasim_last_problem`.
int cudasim_load_machine(const char *json);

/// From the next load on, in the place of CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER of the environment, which the whole
/// process shares; null for a variable that is not set.
void cudasim_set_visible_devices(const char *list, const char *order);

/// The same machine again, as after a new start of the process.
void cudasim_reset(void);

/// Adds faults: `device:call:nth:code[:count]`, several separated by `;`, or a JSON array as in a machine file.
/// Returns 0, or 1 with the reason in `cudasim_last_problem`.
int cudasim_inject_faults(const char *script);

/// Findings so far: misuse that real hardware would answer with wrong data, or not at all.
unsigned cudasim_finding_count(void);

/// The text of a finding; null past the last.
const char *cudasim_finding(unsigned index);

/// Writes one line per object that was not given back into `text`; returns their number.
unsigned cudasim_report_leaks(char *text, size_t size);

/// Starts or stops the record of calls and operations.
void cudasim_trace(int enabled);

/// Writes the record, a line per call or operation, into `text`; returns the bytes that the whole of it takes.
size_t cudasim_read_trace(char *text, size_t size);

/// Why the calling thread's last failed call failed, in words; empty when none did.
const char *cudasim_last_problem(void);

/// Makes a kernel known under its name, before those of the linked library.
void cudasim_register_kernel(const simt_kernel *kernel);

/// Streams run by one scheduler in an order that `seed` picks (deterministic 1), or each on a thread of its own (0).
void cudasim_set_order(int deterministic, unsigned long long seed);

/// What an upload from pageable memory does: 0, as documented, the bytes are taken before the call returns; 1, they are
/// taken when the copy runs, and a source that has changed by then is a finding.
void cudasim_set_late_pageable_uploads(int late);

#ifdef __cplusplus
}
#endif
