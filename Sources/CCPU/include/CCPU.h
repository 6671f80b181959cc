/// The hot loops of the CPU backend.
#pragma once
