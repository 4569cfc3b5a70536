-- Orthanc sends every CT and MR series to qagate once it is stable, and nothing that came from qagate.
-- orthanc.json: "DicomModalities": {"qagate": ["QAGATE", "10.0.0.9", 11112]}, "LuaScripts": ["route.lua"]
-- Stable events are lost when Orthanc restarts; have the scanner send to qagate itself where that matters.
function OnStableSeries(seriesId, tags, metadata)
  if tags['Modality'] ~= 'CT' and tags['Modality'] ~= 'MR' then return end
  if metadata['RemoteAET'] == 'QAGATE' then return end
  -- SendToModality fails for series in some releases; the REST call works in all of them
  local job = { Resources = { seriesId }, Asynchronous = true }
  RestApiPost('/modalities/qagate/store', DumpJson(job, true))
end
