# What Windows knows about virtualization, as one JSON document. Where it does not say, nothing is off.
$ErrorActionPreference = 'Stop'
$system = Get-CimInstance -ClassName Win32_ComputerSystem -Property HypervisorPresent -OperationTimeoutSec 20
$processors = @(Get-CimInstance -ClassName Win32_Processor -Property VirtualizationFirmwareEnabled -OperationTimeoutSec 20)
$off = @($processors | Where-Object { $_.VirtualizationFirmwareEnabled -eq $false })
@{
    hypervisor_missing = ($system.HypervisorPresent -eq $false)
    firmware_off = ($off.Count -gt 0 -and $off.Count -eq $processors.Count)
} | ConvertTo-Json -Compress
