extension Check {
    /// The NVIDIA driver and its libraries.
    static let driver: [Check] = [
        Check(.driver, "driver", loadedDriver), Check(.driver, "kernel module", kernelModule),
        Check(.driver, "version", driverVersion), Check(.driver, "module and library", sameVersion),
        Check(.driver, "CUDA version", cudaVersion), Check(.driver, "device files", deviceFiles),
        Check(.driver, "libcuda", driverLibrary), Check(.driver, "start", start),
        Check(.driver, "libraries", libraries),
        Check(.driver, "kernels", kernels),
    ]

    /// Drivers below this have no CUDA 12.
    private static let oldestDriver = 525

    /// Drivers below this have no CUDA 13.
    private static let driverOfCUDA13 = 580

    private static func loadedDriver(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let driver = facts.driver else { return [] }
        if facts.gpu?.isSimulated == true { return [check.note("simulated: no card is really there")] }
        let cards = CardList(facts)
        if cards.isEmpty {
            if driver.isWindowsSubsystem == true {
                return [check.note("cards are reached through Windows, not the PCI bus")]
            }
            guard let version = driver.moduleVersion ?? facts.gpu?.driverVersion else {
                return [check.note("no NVIDIA card; Facet computes on the processor")]
            }
            return [
                check.warn(
                    "\(version) is loaded, but no card is seen", needed: "a card",
                    remedy: "a container needs --gpus all; on the machine itself, check the card's seat and its power "
                        + "cables, and look for Xid lines in dmesg")
            ]
        }
        if let version = driver.moduleVersion ?? facts.gpu?.driverVersion {
            return [check.ok("\(version)\(driver.isOpenModule == true ? ", open kernel module" : "")")]
        }
        return [
            check.fail(
                "\(FactText.count(cards.count, "card")), no driver loaded", needed: "the NVIDIA driver",
                remedy: "install the distribution's NVIDIA driver, \(oldestDriver) or newer, and restart")
        ]
    }

    /// A card that another driver holds.
    private static func kernelModule(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let driver = facts.driver, let cards = driver.pciCards else { return [] }
        return cards.compactMap { card in
            switch card.driver {
            case "nouveau", "nova_core":
                check.fail(
                    of: card.address, "held by \(card.driver ?? "")", needed: "nvidia",
                    remedy: "install the NVIDIA driver; it keeps \(card.driver ?? "") from loading")
            case "vfio-pci":
                check.note(
                    of: card.address, "held by vfio-pci, for a virtual machine", needed: "nvidia",
                    remedy: "bind it to the nvidia driver to use it here")
            default: nil
            }
        }
    }

    private static func driverVersion(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let text = facts.gpu?.driverVersion ?? facts.driver?.moduleVersion, let version = Version(text) else {
            return []
        }
        let needed = "\(oldestDriver) or newer, \(driverOfCUDA13) for CUDA 13"
        guard version.major >= oldestDriver else {
            return [
                check.fail(
                    text, needed: needed,
                    remedy: "update the driver; CUDA 12 does not start with this one")
            ]
        }
        return [check.ok("\(text), for CUDA \(version.major < driverOfCUDA13 ? 12 : 13)", needed: needed)]
    }

    /// After an update the old module stays loaded until the next start, and then nothing works.
    private static func sameVersion(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let module = facts.driver?.moduleVersion,
            let library = facts.gpu?.driverVersion ?? facts.driver?.library?.version
        else { return [] }
        guard module != library else { return [check.ok(module)] }
        return [
            check.fail(
                "kernel module \(module), library \(library)", needed: "the same version",
                remedy: "restart the machine: the driver was updated while it ran; in a container, the host was")
        ]
    }

    private static func cudaVersion(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let version = facts.gpu?.cudaVersion else { return [] }
        let text = "\(version / 1000).\(version % 1000 / 10)"
        guard version >= 12000 else {
            return [check.fail(text, needed: "12.0 or newer", remedy: "update the driver: it decides this number")]
        }
        return [check.ok("\(text), the newest that the driver serves", needed: "12.0 or newer")]
    }

    private static func deviceFiles(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let driver = facts.driver, driver.moduleVersion != nil, let files = driver.deviceFiles else { return [] }
        let cardFiles = files.filter { $0.name.dropFirst("nvidia".count).allSatisfy(\.isNumber) }
        let names = Set(files.map(\.name))
        let missing =
            ["nvidiactl", "nvidia-uvm"].filter { !names.contains($0) } + (cardFiles.isEmpty ? ["nvidia0"] : [])
        guard missing.isEmpty else {
            return [
                check.fail(
                    "no /dev/\(missing.joined(separator: ", no /dev/"))", needed: "nvidiactl, nvidia-uvm, nvidia0",
                    remedy: "nvidia-modprobe -u -c 0; in a container --gpus all")
            ]
        }
        let closed = files.filter { !$0.isAccessible && $0.name != "nvidia-modeset" }.map(\.name)
        guard closed.isEmpty else {
            return [
                check.fail(
                    "no access to /dev/\(FactText.list(closed))", needed: "reading and writing",
                    remedy: "join the group that owns the files (often video or render), and log in again")
            ]
        }
        let onBus = driver.pciCards?.count { $0.driver == "nvidia" || $0.driver == nil } ?? 0
        guard cardFiles.count < onBus else { return [check.ok(FactText.count(cardFiles.count, "card"))] }
        return [
            check.note(
                "\(cardFiles.count) of \(FactText.count(onBus, "card"))",
                remedy: "a container sees the others with --gpus all")
        ]
    }

    private static func driverLibrary(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let library = facts.driver?.library else { return [] }
        guard !CardList(facts).isEmpty || facts.driver?.isWindowsSubsystem == true else { return [] }
        if library.isLoadable { return [check.ok(library.version.map { "loads, \($0)" } ?? "loads")] }
        return [
            check.fail(
                library.reason ?? "\(library.name) cannot be loaded", needed: library.name,
                remedy: "install the driver's compute libraries (libnvidia-compute); in a container, --gpus all and "
                    + "NVIDIA_DRIVER_CAPABILITIES=compute,utility")
        ]
    }

    /// What `cuInit` said: the libraries can be there and well, and still nothing computes.
    private static func start(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let gpu = facts.gpu else { return [] }
        guard let problem = gpu.startProblem else { return gpu.visibleCards == nil ? [] : [check.ok("CUDA starts")] }
        let isFabric = problem.contains("SYSTEM_NOT_READY")
        return [
            check.fail(
                problem, needed: "CUDA starts",
                remedy: isFabric
                    ? "start the service nvidia-fabricmanager, of the driver's version"
                    : "nvidia-modprobe -u; restart the machine; look for Xid lines in dmesg")
        ]
    }

    private static func libraries(_ facts: Facts, _ check: Check) -> [Finding] {
        (facts.gpu?.libraries ?? []).map { library in
            if library.isLoadable { return check.ok(of: library.name, library.version ?? "loads") }
            if library.name.hasPrefix("libcublasLt") {
                return check.warn(
                    of: library.name, library.reason ?? "cannot be loaded", needed: "the library",
                    remedy: "Facet's own products are slower for many rows: install it with the CUDA toolkit, or pip")
            }
            return check.fail(
                of: library.name, library.reason ?? "cannot be loaded", needed: "the library",
                remedy: "install it with the CUDA toolkit, or with pip")
        }
    }

    /// Kernels that were compiled beforehand must be there for every card.
    private static func kernels(_ facts: Facts, _ check: Check) -> [Finding] {
        guard let kernels = facts.gpu?.kernelCapabilities, let cards = facts.gpu?.cards else { return [] }
        let built = kernels.sorted().map(FactText.capability).joined(separator: ", ")
        return cards.enumerated().compactMap { index, card in
            guard let capability = card.capability else { return nil }
            // A kernel of one major version runs on every later minor version of it.
            let runs = kernels.contains { $0 / 10 == capability / 10 && $0 <= capability }
            let subject = "card \(index)"
            if runs { return check.ok(of: subject, "compiled for \(FactText.capability(capability))") }
            return check.fail(
                of: subject, "none for \(FactText.capability(capability)), only for \(built)", needed: "one that runs",
                remedy: "install NVRTC so that kernels are compiled on the spot, or build them for this card")
        }
    }
}
